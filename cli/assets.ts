import { readFile } from "node:fs/promises";
import { compileRouter } from "#router-wasm";
import { routerWasm } from "./paths.ts";

/** The executable that has the assets inside, where this process is one. */
const executable = process.getBuiltinModule?.("node:sea");

/** The compiled router core. @throws Error where its file is missing: it is built by `npm run build` */
export async function loadRouterModule(): Promise<WebAssembly.Module> {
  const bytes = executable?.isSea()
    ? new Uint8Array(executable.getRawAsset("router.wasm"))
    : await readFile(routerWasm);
  return compileRouter(bytes);
}
