// `npm start` and `npm run stator -- COMMAND`: install and build what is missing, then run the `stator` command on the
// pinned Node. Runs on the system's Node (20 or newer).
import { join } from "node:path";
import { buildWasm } from "./build-wasm.mjs";
import { ensureInstalled, main, pinnedNode, root, runToEnd } from "./install.mjs";

const [major] = process.versions.node.split(".").map(Number);
if (major < 20) {
  console.error(`Stator requires Node 20 or newer; this is ${process.version}.`);
  process.exit(1);
}

await main(async () => {
  await ensureInstalled();
  await buildWasm();
  // Through an IPC channel, the command notices if this process is killed, so that it does not outlive it.
  const stdio = ["inherit", "inherit", "inherit", "ipc"];
  return runToEnd(pinnedNode, [join(root, "cli", "main.ts"), ...process.argv.slice(2)], { stdio });
});
