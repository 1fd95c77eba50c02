// `npm test`: installs and builds what is missing, then runs every test. Arguments go to Vitest.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { buildWasm } from "./build-wasm.mjs";
import { ensureInstalled, pinnedNode, root } from "./install.mjs";

ensureInstalled();
await buildWasm();
const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
const { status } = spawnSync(pinnedNode, [vitest, "run", ...process.argv.slice(2)], {
  cwd: root,
  stdio: "inherit",
});
process.exit(status ?? 1);
