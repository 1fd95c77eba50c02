// `npm run speech`: installs a real speech model (PyPI) and ONNX Runtime (npm) for `stator worker moonshine`, and prints the
// folder for --model. Runs on the system's Node (20 or newer) and imports nothing that has to be installed.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { main, root } from "./install.mjs";
import { ensureOnnx } from "./onnx.mjs";
import { ensurePython } from "./python.mjs";

const folder = join(root, "runtime-tests", "speech");

/**
 * Installs the model in this checkout. Python only unpacks it.
 * @returns the model's folder
 * @throws Stop, after an error message, if the installation fails
 */
export async function ensureSpeech() {
  await ensurePython(folder, "Installing a speech model (140 MB on disk), once.", undefined, ["--no-deps"]);
  await ensureOnnx(folder, "Installing ONNX Runtime (47 MB on disk, 290 MB for a moment), once.");
  const lib = join(folder, ".venv", "lib");
  const [python] = readdirSync(lib).filter((name) => name.startsWith("python"));
  return join(lib, python, "site-packages");
}

if (import.meta.url === pathToFileURL(process.argv[1]).href)
  await main(async () => {
    console.log(await ensureSpeech());
  });
