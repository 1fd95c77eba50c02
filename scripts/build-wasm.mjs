// Compiles the router core, `router-wasm/assembly` → `router-wasm/router.wasm`. Does nothing when the file there was
// made from the same sources: their hash lies in a custom section of the module. Runs on Node 20 and later.
import { createHash } from "node:crypto";
import { readdir, readFile, rename, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const sources = join(root, "router-wasm/assembly");
const target = join(root, "router-wasm/router.wasm");
const SECTION = "stator.sources";

/**
 * Brings `router.wasm` up to date. Throws with the compiler's messages when the sources do not compile.
 * @returns {Promise<{path: string, built: boolean}>} whether it had to be built
 */
export async function buildWasm() {
  const hash = await hashSources();
  if ((await hashOfTarget()) === hash) return { path: target, built: false };
  const bytes = await compile();
  // Renamed into place, so that a process that starts meanwhile never reads half a file.
  const draft = `${target}.${process.pid}.tmp.wasm`;
  await writeFile(draft, withSection(bytes, SECTION, hash));
  await rename(draft, target);
  return { path: target, built: true };
}

async function hashSources() {
  const hash = createHash("sha256");
  const files = (await readdir(sources)).filter((name) => name.endsWith(".ts")).sort();
  const compiler = createRequire(import.meta.url).resolve("assemblyscript/package.json");
  for (const file of [...files.map((name) => join(sources, name)), join(root, "asconfig.json"), compiler]) {
    hash.update(`${file.slice(file.lastIndexOf("/") + 1)}\0`).update(await readFile(file));
  }
  return hash.digest("hex");
}

async function hashOfTarget() {
  const bytes = await readFile(target).catch(() => undefined);
  if (!bytes || !WebAssembly.validate(bytes)) return undefined;
  const [section] = WebAssembly.Module.customSections(new WebAssembly.Module(bytes), SECTION);
  return section && new TextDecoder().decode(section);
}

async function compile() {
  const { default: asc } = await import("assemblyscript/asc");
  let output;
  let text = "";
  const stream = { write: (chunk) => (text += chunk) };
  const { error } = await asc.main(
    ["--config", "asconfig.json", "--target", "release", "--baseDir", root, "--outFile", "router.wasm"],
    {
      stdout: stream,
      stderr: stream,
      readFile: (name, base) => readFile(join(base, name), "utf8").catch(() => null),
      writeFile: (_name, contents) => {
        output = contents;
      },
    },
  );
  if (error || !output) throw new Error(`The router core does not compile.\n${text || error?.message}`);
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
    const { path, built } = await buildWasm();
    console.log(built ? `Built ${path}` : `${path} is up to date`);
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
