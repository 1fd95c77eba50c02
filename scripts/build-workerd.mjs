// `npm run build:workerd`: builds the gateway as a module worker for workerd, with a configuration to start it, in
// dist/workerd.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { buildWasm } from "./build-wasm.mjs";
import { ensureInstalled, main, pinnedNode, root, Stop } from "./install.mjs";

await main(async () => {
  await ensureInstalled();
  await ensureInstalled(join(root, "tools", "bundle"), "Installing the bundler, once.");
  await buildWasm();
  const folder = join(root, "dist", "workerd");
  const script = join(root, "scripts", "bundle-workerd.mjs");
  const { status } = spawnSync(pinnedNode, [script, folder], { stdio: ["ignore", "ignore", "inherit"] });
  if (status !== 0) throw new Stop(status ?? 1);
  console.error(`Built ${folder}: workerd serve ${join(folder, "config.capnp")}`);
});
