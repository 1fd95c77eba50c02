// `npm run speech`: installs a real speech model (PyPI) and ONNX Runtime (npm) for `stator worker moonshine`, and prints the
// folder for --model. Runs on the system's Node (20 or newer) and imports nothing that has to be installed.
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ensureInstalled, main, root } from "./install.mjs";
import { ensurePython } from "./python.mjs";

const folder = join(root, "runtime-tests", "speech");

/**
 * Installs the model in this checkout. Python only unpacks it.
 * @returns the model's folder
 * @throws Stop, after an error message, if the installation fails
 */
export async function ensureSpeech() {
  await ensurePython(folder, "Installing a speech model (140 MB on disk), once.", undefined, ["--no-deps"]);
  await ensureInstalled(folder, "Installing ONNX Runtime (47 MB on disk, 290 MB for a moment), once.");
  removeForeignLibraries();
  const lib = join(folder, ".venv", "lib");
  const [python] = readdirSync(lib).filter((name) => name.startsWith("python"));
  return join(lib, python, "site-packages");
}

/** ONNX Runtime's package has its libraries for all platforms. */
function removeForeignLibraries() {
  const builds = join(folder, "node_modules", "onnxruntime-node", "bin", "napi-v6");
  for (const platform of readdirSync(builds)) {
    if (platform !== process.platform) rmSync(join(builds, platform), { recursive: true });
    else
      for (const arch of readdirSync(join(builds, platform)))
        if (arch !== process.arch) rmSync(join(builds, platform, arch), { recursive: true });
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href)
  await main(async () => {
    console.log(await ensureSpeech());
  });
