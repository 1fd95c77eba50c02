import * as nodeModule from "node:module";
import { fileURLToPath } from "node:url";

/**
 * The `stator` command. Enables Node's compile cache before importing anything else, so that later starts do not compile
 * again. (Deno and Bun have caches of their own.)
 */
if ("enableCompileCache" in nodeModule)
  nodeModule.enableCompileCache(fileURLToPath(new URL("../node_modules/.cache/stator", import.meta.url)));
const { runToExit } = await import("./run.ts");
const { commands } = await import("./commands/index.ts");

runToExit(process.argv.slice(2), commands);
