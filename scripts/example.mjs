// `npm run example FILE_OR_FOLDER -- ARGS…`: runs an example on the pinned Node. A folder's example is its main.ts.
import { existsSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { buildWasm } from "./build-wasm.mjs";
import { ensureInstalled, main, pinnedNode, root, runToEnd } from "./install.mjs";

await main(async () => {
  const [given, ...args] = process.argv.slice(2);
  if (given === undefined) {
    console.error("Usage: npm run example examples/hello-world -- [ARGUMENTS]");
    return 2;
  }
  const path = resolve(root, given);
  if (!existsSync(path)) {
    console.error(`There is no example ${given}.`);
    return 2;
  }
  const file = statSync(path).isDirectory() ? join(path, "main.ts") : path;
  await ensureInstalled();
  await buildWasm();
  return runToEnd(pinnedNode, [file, ...args], { cwd: root, stdio: "inherit" });
});
