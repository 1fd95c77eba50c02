// Bundles cli/binary.ts and its dependencies into one CommonJS file: `node scripts/bundle.mjs OUTPUT`.
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const root = join(import.meta.dirname, "..");
const require = createRequire(join(root, "tools", "bundle", "package.json"));
const { rolldown } = await import(pathToFileURL(require.resolve("rolldown")).href);

/** A module that loads an addon from the executable's assets, where it has it. */
const fromAsset = (asset, names) => `
    import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
    import { constants, tmpdir } from "node:os";
    import { join } from "node:path";
    import { getRawAsset } from "node:sea";
    const folder = mkdtempSync(join(tmpdir(), "stator-"));
    const library = { exports: {} };
    try {
      const path = join(folder, "${asset}");
      writeFileSync(path, new Uint8Array(getRawAsset("${asset}")));
      process.dlopen(library, path, constants.dlopen.RTLD_LAZY);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    export const { ${names} } = library.exports;`;

const NATIVE = {
  tokenizers: fromAsset("tokenizers.node", "Tokenizer"),
  "@napi-rs/blake-hash": fromAsset("blake3.node", "Blake3Hasher"),
};

/** Packages that are imported somewhere but never used by the executable. */
const OMITTED = ["node-llama-cpp"];
const ABSENT = "throw new Error('This library is not in the executable.');";

const native = {
  name: "native-libraries",
  resolveId: (id) => (Object.hasOwn(NATIVE, id) || OMITTED.includes(id) ? `\0${id}` : undefined),
  load(id) {
    const name = id.startsWith("\0") ? id.slice(1) : "";
    // As CommonJS, it has no list of exports that imports could fail to match.
    return NATIVE[name] ?? (OMITTED.includes(name) ? { code: ABSENT, moduleType: "js" } : undefined);
  },
};

const bundle = await rolldown({
  input: join(root, "cli", "binary.ts"),
  platform: "node",
  cwd: root,
  plugins: [native],
  shimMissingExports: true,
  logLevel: "silent",
});
const { output } = await bundle.generate({ format: "cjs", codeSplitting: false, minify: true });
await bundle.close();
// V8 stores pure ASCII source in half the memory.
const escaped = (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
writeFileSync(process.argv[2], output[0].code.replace(/[\u0080-\uffff]/g, escaped));
