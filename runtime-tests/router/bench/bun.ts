import { measureDecisions } from "./decisions.ts";

declare const Bun: { file(path: URL): { arrayBuffer(): Promise<ArrayBuffer> } };

const bytes = await Bun.file(new URL("../../../router-wasm/router.wasm", import.meta.url)).arrayBuffer();
console.log(JSON.stringify(await measureDecisions(bytes)));
