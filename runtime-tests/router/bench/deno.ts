import { measureDecisions } from "./decisions.ts";

declare const Deno: { readFile(path: URL): Promise<Uint8Array<ArrayBuffer>> };

const bytes = await Deno.readFile(new URL("../../../router-wasm/router.wasm", import.meta.url));
console.log(JSON.stringify(await measureDecisions(bytes)));
