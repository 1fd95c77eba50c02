// `npm run build`: installs what is missing and builds the router's WebAssembly core.
import { buildWasm } from "./build-wasm.mjs";
import { ensureInstalled } from "./install.mjs";

ensureInstalled();
await buildWasm();
