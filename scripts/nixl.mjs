// Installs the real NIXL for tests and benchmarks from PyPI. Runs on the system's Node (20 or newer) and imports nothing
// that has to be installed.
import { join } from "node:path";
import { root } from "./install.mjs";
import { ensurePython } from "./python.mjs";

const folder = join(root, "runtime-tests", "nixl");

/**
 * Installs NIXL in a virtual environment of this checkout, unless NIXL_PREFIX says where another one is.
 * @returns the value for NIXL_PREFIX; undefined, after a message, if there is none for this platform
 * @throws Stop, after an error message, if the installation fails
 */
export async function ensureNixl() {
  if (process.env.NIXL_PREFIX) return process.env.NIXL_PREFIX;
  if (process.platform !== "linux" || !["x64", "arm64"].includes(process.arch)) {
    console.error("There is no NIXL for this platform, so the tests with it are skipped.");
    return undefined;
  }
  await ensurePython(folder, "Installing NIXL for tests (270 MB on disk), once.", undefined, ["--no-deps"]);
  return join(folder, ".venv");
}
