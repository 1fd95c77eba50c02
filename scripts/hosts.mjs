// The JavaScript hosts other than Node on which the router core runs.
import { join } from "node:path";
import { buildWasm } from "./build-wasm.mjs";
import { ensureInstalled, root } from "./install.mjs";

export const hostsFolder = join(root, "runtime-tests");

/** Installs Stator and the hosts, and builds the core. */
export async function ensureHosts() {
  await ensureInstalled();
  await buildWasm();
  await ensureInstalled(hostsFolder, "Installing Deno, Bun and workerd (350 MB on disk), once.");
}
