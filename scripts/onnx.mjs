// Installs ONNX Runtime and what else a model needs from npm. Runs on the system's Node (20 or newer) and imports nothing
// that has to be installed.
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ensureInstalled } from "./install.mjs";

/**
 * Makes `folder`'s node_modules match its package-lock.json, and removes ONNX Runtime's libraries for other platforms, which its
 * package has too.
 * @param what is printed before the installation
 * @throws Stop, after an error message, if the installation fails
 */
export async function ensureOnnx(folder, what) {
  await ensureInstalled(folder, what);
  const builds = join(folder, "node_modules", "onnxruntime-node", "bin", "napi-v6");
  for (const platform of list(builds)) {
    if (platform !== process.platform) remove(builds, platform);
    else for (const arch of list(join(builds, platform)).filter(isForeign)) remove(builds, platform, arch);
  }
}

const isForeign = (arch) => arch !== process.arch;
const list = (folder) => (existsSync(folder) ? readdirSync(folder) : []);
// Another process may be removing it as well.
const remove = (...path) => rmSync(join(...path), { recursive: true, force: true });
