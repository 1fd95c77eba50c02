import { readFile } from "node:fs/promises";
import { measureDecisions } from "./decisions.ts";

const bytes = await readFile(new URL("../../../router-wasm/router.wasm", import.meta.url));
console.log(JSON.stringify(await measureDecisions(bytes)));
