// `npm test`: installs and builds what is missing, then runs every test. Arguments go to Vitest.
import { join } from "node:path";
import { ensureClusterServers } from "./apt.mjs";
import { buildNative } from "./build-native.mjs";
import { buildWasm } from "./build-wasm.mjs";
import { ensureInstalled, main, pinnedNode, root, runToEnd } from "./install.mjs";
import { ensureNixl } from "./nixl.mjs";
import { ensureCompiler } from "./python.mjs";

await main(async () => {
  await ensureInstalled();
  await buildWasm();
  await ensureClusterServers();
  await ensureCompiler("c++");
  await buildNative();
  await ensureNixl();
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
  // Through an IPC channel, Vitest notices if this process is killed, so that it does not outlive it.
  const stdio = ["inherit", "inherit", "inherit", "ipc"];
  return runToEnd(pinnedNode, [vitest, "run", ...process.argv.slice(2)], { cwd: root, stdio });
});
