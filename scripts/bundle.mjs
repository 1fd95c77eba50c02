// Makes one CommonJS file of cli/binary.ts and all that it needs: `node scripts/bundle.mjs OUTPUT`.
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const root = join(import.meta.dirname, "..");
const require = createRequire(join(root, "tools", "bundle", "package.json"));
const { rolldown } = await import(pathToFileURL(require.resolve("rolldown")).href);

// An executable has native libraries inside as assets, or not at all.
const NATIVE = {
  tokenizers: `
    import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
    import { constants, tmpdir } from "node:os";
    import { join } from "node:path";
    import { getRawAsset } from "node:sea";
    const folder = mkdtempSync(join(tmpdir(), "stator-"));
    const library = { exports: {} };
    try {
      const path = join(folder, "tokenizers.node");
      writeFileSync(path, new Uint8Array(getRawAsset("tokenizers.node")));
      process.dlopen(library, path, constants.dlopen.RTLD_LAZY);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    export const { Tokenizer } = library.exports;`,
};

/** What no command of the executable uses, although modules on the way to them name it. */
const LEFT_OUT = ["node-llama-cpp", "zeromq"];
const ABSENT = "throw new Error('This library is not in the executable.');";

const native = {
  name: "native-libraries",
  resolveId: (id) => (Object.hasOwn(NATIVE, id) || LEFT_OUT.includes(id) ? `\0${id}` : undefined),
  load(id) {
    const name = id.startsWith("\0") ? id.slice(1) : "";
    // CommonJS has no list of exports that imports could miss.
    return NATIVE[name] ?? (LEFT_OUT.includes(name) ? { code: ABSENT, moduleType: "js" } : undefined);
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
await bundle.write({ file: process.argv[2], format: "cjs", codeSplitting: false });
await bundle.close();
