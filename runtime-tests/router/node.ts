/** `node node.ts TRACE`: replays the trace and prints the report. */
import { readFile } from "node:fs/promises";
import { compileRouter } from "../../router-wasm/index.ts";
import { replay } from "./router.suite.ts";

const module = await compileRouter(await readFile(new URL("../../router-wasm/router.wasm", import.meta.url)));
const trace = JSON.parse(await readFile(process.argv[2]!, "utf8"));
console.log(JSON.stringify(replay(module, trace)));
