import { readFile } from "node:fs/promises";
import { compileRouter } from "#router-wasm";
import { routerWasm } from "./paths.ts";
import { isExecutable } from "./self.ts";

/** The compiled router core. @throws Error if its file is missing: `npm run build` creates it */
export async function loadRouterModule(): Promise<WebAssembly.Module> {
  const bytes = isExecutable
    ? new Uint8Array(process.getBuiltinModule("node:sea").getRawAsset("router.wasm"))
    : await readFile(routerWasm);
  return compileRouter(bytes);
}
