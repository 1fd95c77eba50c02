// Runs a script on the pinned Node, whatever the system's Node is: `node scripts/pinned.mjs FILE ARGS…`
import { ensureInstalled, main, pinnedNode, root, runToEnd } from "./install.mjs";

await main(async () => {
  await ensureInstalled();
  return runToEnd(pinnedNode, process.argv.slice(2), { cwd: root, stdio: "inherit" });
});
