// `npm test`: installs and builds what is missing, then runs every test. Arguments go to Vitest.
import { join } from "node:path";
import { ensureClusterServers } from "./apt.mjs";
import { buildWasm } from "./build-wasm.mjs";
import { ensureInstalled, main, pinnedNode, root, runToEnd } from "./install.mjs";

await main(async () => {
  await ensureInstalled();
  await buildWasm();
  await ensureClusterServers();
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
  // Through an IPC channel, Vitest notices if this process is killed, so that it does not outlive it.
  const stdio = ["inherit", "inherit", "inherit", "ipc"];
  return runToEnd(pinnedNode, [vitest, "run", ...process.argv.slice(2)], { cwd: root, stdio });
});
