import { RouterError } from "./errors.ts";
import type { Router, RouterOptions } from "./types.ts";

/** Compiles the core. On hosts that hand over a compiled module (workerd) this step is not needed. */
export async function compileRouter(bytes: BufferSource): Promise<WebAssembly.Module> {
  try {
    return await WebAssembly.compile(bytes);
  } catch (cause) {
    throw new RouterError("bad_module", "The router's WebAssembly file does not compile: build it again.", {
      cause,
    });
  }
}

/** Makes a router with a memory of its own. Throws `bad_option`, `bad_module` or `memory`. */
export function createRouter(_module: WebAssembly.Module, _options: RouterOptions): Router {
  throw new RouterError("bad_module", "Not built yet.");
}
