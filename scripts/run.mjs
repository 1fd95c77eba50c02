// `npm start` and `npm run stator -- COMMAND`: installs and builds what is missing, then runs the `stator`
// command on the pinned Node. Runs itself on the machine's own Node (20 or newer).
import { join } from "node:path";
import { buildWasm } from "./build-wasm.mjs";
import { ensureInstalled, main, pinnedNode, root, runToEnd } from "./install.mjs";

const [major] = process.versions.node.split(".").map(Number);
if (major < 20) {
  console.error(`Stator needs Node 20 or newer to start; this is ${process.version}.`);
  process.exit(1);
}

await main(async () => {
  await ensureInstalled();
  await buildWasm();
  // An IPC channel tells the command when this process is killed, so that nothing outlives it.
  const stdio = ["inherit", "inherit", "inherit", "ipc"];
  return runToEnd(pinnedNode, [join(root, "cli", "main.ts"), ...process.argv.slice(2)], { stdio });
});
