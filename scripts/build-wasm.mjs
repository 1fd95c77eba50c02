// Compiles the router core, `router-wasm/assembly` → `router-wasm/router.wasm`, and for non-JavaScript hosts its WASI
// target, `--target wasi` → `router-wasm/router.wasi.wasm`. Does nothing if the existing file was built from the same
// sources, whose hash is in a custom section of the module. Runs on Node 20 and later.
import { createHash } from "node:crypto";
import { readdir, readFile, rename, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const sources = join(root, "router-wasm/assembly");
const SECTION = "stator.sources";

/** The targets of asconfig.json: the output file, and the packages whose versions affect it. */
const TARGETS = {
  release: { file: "router-wasm/router.wasm", packages: ["assemblyscript"] },
  wasi: { file: "router-wasm/router.wasi.wasm", packages: ["assemblyscript", "@assemblyscript/wasi-shim"] },
};

/**
 * Brings a target of the core up to date. Throws an error with the compiler's messages if compilation fails.
 * @param {"release" | "wasi"} target
 * @returns {Promise<{path: string, built: boolean}>} whether it had to be built
 */
export async function buildWasm(target = "release") {
  const { file, packages } = TARGETS[target];
  const path = join(root, file);
  const hash = await hashSources(packages);
  if ((await hashIn(path)) === hash) return { path, built: false };
  const bytes = await compile(target);
  // Renamed into place, so that a process starting meanwhile never reads a partial file.
  const draft = `${path}.${process.pid}.tmp.wasm`;
  await writeFile(draft, withSection(bytes, SECTION, hash));
  await rename(draft, path);
  return { path, built: true };
}

async function hashSources(packages) {
  const hash = createHash("sha256");
  const files = (await readdir(sources)).filter(isSource).sort();
  const require = createRequire(import.meta.url);
  const manifests = packages.map((name) => require.resolve(`${name}/package.json`));
  for (const file of [
    ...files.map((name) => join(sources, name)),
    join(root, "asconfig.json"),
    ...manifests,
  ]) {
    hash.update(`${file.slice(file.lastIndexOf("/") + 1)}\0`).update(await readFile(file));
  }
  return hash.digest("hex");
}

const isSource = (name) => name.endsWith(".ts");

async function hashIn(path) {
  const bytes = await readFile(path).catch(() => undefined);
  if (!bytes || !WebAssembly.validate(bytes)) return undefined;
  const [section] = WebAssembly.Module.customSections(new WebAssembly.Module(bytes), SECTION);
  return section && new TextDecoder().decode(section);
}

async function compile(target) {
  const { default: asc } = await import("assemblyscript/asc");
  let output;
  let text = "";
  const stream = { write: (chunk) => (text += chunk) };
  const { error } = await asc.main(
    ["--config", "asconfig.json", "--target", target, "--baseDir", root, "--outFile", "router.wasm"],
    {
      stdout: stream,
      stderr: stream,
      readFile: (name, base) => readFile(resolve(base, name), "utf8").catch(() => null),
      listFiles: async (folder, base) => (await readdir(resolve(base, folder))).filter(isSource),
      writeFile: (_name, contents) => {
        output = contents;
      },
    },
  );
  if (error || !output) throw new Error(`The router core does not compile:\n${text || error?.message}`);
  return output;
}

/** The module with a custom section added at its end. */
function withSection(bytes, name, text) {
  const content = Buffer.concat([Buffer.from([name.length]), Buffer.from(name), Buffer.from(text)]);
  if (content.length > 127) throw new Error("A custom section of over 127 bytes needs a longer size field.");
  return Buffer.concat([bytes, Buffer.from([0, content.length]), content]);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    const { values } = parseArgs({ options: { target: { type: "string", default: "release" } } });
    if (!(values.target in TARGETS))
      throw new Error(`--target is one of: ${Object.keys(TARGETS).join(", ")}.`);
    const { path, built } = await buildWasm(values.target);
    console.log(built ? `Built ${path}` : `${path} is up to date`);
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
