// `npm run bench:nixl`: builds the addon and installs NIXL if they are missing, then runs bench/nixl. Runs on the
// system's Node (20 or newer).
import { join } from "node:path";
import { buildNative } from "./build-native.mjs";
import { ensureInstalled, main, pinnedNode, root, runToEnd } from "./install.mjs";
import { ensureNixl } from "./nixl.mjs";

await main(async () => {
  await ensureInstalled();
  await buildNative();
  const prefix = await ensureNixl();
  const env = prefix === undefined ? process.env : { ...process.env, NIXL_PREFIX: prefix };
  const script = join(root, "bench", "nixl", "index.ts");
  return runToEnd(pinnedNode, [script, ...process.argv.slice(2)], { cwd: root, stdio: "inherit", env });
});
