// `npm run bench:hosts`: installs missing packages and measures the router's decisions on each JavaScript host.
import { join } from "node:path";
import { ensureHosts, hostsFolder } from "./hosts.mjs";
import { main, pinnedNode, root, runToEnd } from "./install.mjs";

await main(async () => {
  await ensureHosts();
  return runToEnd(pinnedNode, [join(hostsFolder, "router/bench/index.ts")], { cwd: root, stdio: "inherit" });
});
