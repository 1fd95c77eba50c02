import * as nodeModule from "node:module";
import { fileURLToPath } from "node:url";

/**
 * The `stator` command. What Node makes of our TypeScript and of the libraries is kept beside them, so that all
 * starts but the first skip that work; so nothing else is imported before. (Deno and Bun keep such things themselves.)
 */
if ("enableCompileCache" in nodeModule)
  nodeModule.enableCompileCache(fileURLToPath(new URL("../node_modules/.cache/stator", import.meta.url)));
const { run } = await import("./run.ts");

run(process.argv.slice(2)).then(
  // A command that has ended may have left handles open, such as the channel to its supervisor.
  (exitCode) => process.exit(exitCode),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : String(error));
    if (process.argv.includes("--log-level=debug") && error instanceof Error) console.error(error.stack);
    process.exit(error instanceof Error && error.name === "UsageError" ? 2 : 1);
  },
);
