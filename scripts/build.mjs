// `npm run build`: installs missing packages, and builds the router's WebAssembly core and, where there is a C++ compiler,
// the NIXL addon.
import { buildNative } from "./build-native.mjs";
import { buildWasm } from "./build-wasm.mjs";
import { ensureInstalled, main } from "./install.mjs";

await main(async () => {
  await ensureInstalled();
  await buildWasm();
  await buildNative();
});
