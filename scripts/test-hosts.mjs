// `npm run test:hosts`: installs what is missing and runs the router's conformance suite on five hosts. Arguments go
// to Vitest.
import { join } from "node:path";
import { buildWasm } from "./build-wasm.mjs";
import { ensureHosts } from "./hosts.mjs";
import { main, pinnedNode, root, runToEnd } from "./install.mjs";

await main(async () => {
  await ensureHosts();
  await buildWasm("wasi");
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
  const config = join(root, "runtime-tests", "vitest.config.ts");
  const args = [vitest, "run", "--config", config, ...process.argv.slice(2)];
  return runToEnd(pinnedNode, args, { cwd: root, stdio: "inherit" });
});
