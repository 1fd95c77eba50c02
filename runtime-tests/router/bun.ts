/** `bun bun.ts TRACE`: replays the trace and prints the report. */
import { compileRouter } from "../../router-wasm/index.ts";
import { replay } from "./router.suite.ts";

interface BunFile {
  arrayBuffer(): Promise<ArrayBuffer>;
  json(): Promise<never>;
}
declare const Bun: { argv: string[]; file(path: string | URL): BunFile };

const bytes = await Bun.file(new URL("../../router-wasm/router.wasm", import.meta.url)).arrayBuffer();
const trace = await Bun.file(Bun.argv[2]!).json();
console.log(JSON.stringify(replay(await compileRouter(bytes), trace)));
