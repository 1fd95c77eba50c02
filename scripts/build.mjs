// `npm run build`: installs missing packages and builds the router's WebAssembly core.
import { buildWasm } from "./build-wasm.mjs";
import { ensureInstalled, main } from "./install.mjs";

await main(async () => {
  await ensureInstalled();
  await buildWasm();
});
