/** `deno run --allow-read deno.ts TRACE`: replays the trace and prints the report. */
import { compileRouter } from "../../router-wasm/index.ts";
import { replay } from "./router.suite.ts";

declare const Deno: {
  args: string[];
  readFile(path: string | URL): Promise<Uint8Array<ArrayBuffer>>;
  readTextFile(path: string): Promise<string>;
};

const module = await compileRouter(
  await Deno.readFile(new URL("../../router-wasm/router.wasm", import.meta.url)),
);
const trace = JSON.parse(await Deno.readTextFile(Deno.args[0]!));
console.log(JSON.stringify(replay(module, trace)));
