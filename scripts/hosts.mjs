// The hosts beside Node that the router's core runs on.
import { join } from "node:path";
import { buildWasm } from "./build-wasm.mjs";
import { ensureInstalled, root } from "./install.mjs";
import { ensurePython } from "./python.mjs";

/** Installs Stator and the other hosts, and builds the core. */
export async function ensureHosts() {
  await ensureInstalled();
  await buildWasm();
  const folder = join(root, "runtime-tests");
  await ensureInstalled(folder, "Installing Deno, Bun and workerd (350 MB on disk), once.");
  await ensurePython(folder, "Installing wasmtime for Python (55 MB on disk), once.");
}
