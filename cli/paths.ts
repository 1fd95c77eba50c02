import { fileURLToPath } from "node:url";

/** The compiled router core. */
export const routerWasm = fileURLToPath(new URL("../router-wasm/router.wasm", import.meta.url));
