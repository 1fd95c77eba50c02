// Runs a script on the pinned Node, whatever the machine's own is: `node scripts/pinned.mjs FILE ARGS…`
import { spawnSync } from "node:child_process";
import { ensureInstalled, pinnedNode, root } from "./install.mjs";

ensureInstalled();
const { status } = spawnSync(pinnedNode, process.argv.slice(2), { cwd: root, stdio: "inherit" });
process.exit(status ?? 1);
