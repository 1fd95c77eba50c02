// `npm run example FILE_OR_FOLDER -- ARGS…`: runs an example on the pinned Node. A folder's example is its main.ts.
// `--help` prints the comment at its head.
import { existsSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
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
  if (args.includes("--help")) {
    console.log(helpOf(file));
    return 0;
  }
  await ensureInstalled();
  await buildWasm();
  const errors = pathToFileURL(join(root, "scripts", "example-errors.mjs")).href;
  return runToEnd(pinnedNode, ["--import", errors, file, ...args], { cwd: root, stdio: "inherit" });
});

/** The comment at the head of a file, without its marks. */
function helpOf(file) {
  const [comment = ""] = /^(\/\*\*.*?\*\/|(\/\/[^\n]*\n)+)/s.exec(readFileSync(file, "utf8")) ?? [];
  return comment.replace(/^\/\*\*\n|\s*\*\/$|^(\/\/| \*) ?/gm, "").trim();
}
