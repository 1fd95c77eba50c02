// `npm run test:hosts`: installs what is missing and runs the suites of the router core and the gateway on every host.
// Arguments go to Vitest.
import { join } from "node:path";
import { buildWasm } from "./build-wasm.mjs";
import { ensureHosts, hostsFolder } from "./hosts.mjs";
import { main, pinnedNode, root, runToEnd } from "./install.mjs";
import { ensurePython } from "./python.mjs";

await main(async () => {
  await ensureHosts();
  await ensurePython(hostsFolder, "Installing wasmtime for Python (55 MB on disk), once.");
  await buildWasm("wasi");
  for (const script of ["build-binary.mjs", "build-workerd.mjs"]) {
    const code = await runToEnd(process.execPath, [join(root, "scripts", script)], {
      stdio: ["ignore", 2, 2],
    });
    if (code !== 0) return code;
  }
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
  const config = join(hostsFolder, "vitest.config.ts");
  const args = [vitest, "run", "--config", config, ...process.argv.slice(2)];
  return runToEnd(pinnedNode, args, { cwd: root, stdio: "inherit" });
});
