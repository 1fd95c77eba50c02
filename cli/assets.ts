import { readFile } from "node:fs/promises";
import { compileRouter } from "#router-wasm";
import { routerWasm } from "./paths.ts";
import { isExecutable } from "./self.ts";

/** The compiled router core. @throws Error where its file is missing: it is built by `npm run build` */
export async function loadRouterModule(): Promise<WebAssembly.Module> {
  const bytes = isExecutable
    ? new Uint8Array(process.getBuiltinModule("node:sea").getRawAsset("router.wasm"))
    : await readFile(routerWasm);
  return compileRouter(bytes);
}
