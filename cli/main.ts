import * as nodeModule from "node:module";
import { fileURLToPath } from "node:url";

/**
 * The `stator` command. What Node makes of our TypeScript and of the libraries is kept beside them, so that all
 * starts but the first skip that work; so nothing else is imported before. (Deno and Bun keep such things themselves.)
 */
if ("enableCompileCache" in nodeModule)
  nodeModule.enableCompileCache(fileURLToPath(new URL("../node_modules/.cache/stator", import.meta.url)));
const { runToExit } = await import("./run.ts");
const { commands } = await import("./commands/index.ts");

runToExit(process.argv.slice(2), commands);
