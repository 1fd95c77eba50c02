import { env } from "cloudflare:workers";
// A separate file of the bundle, because workerd compiles no WebAssembly at run time.
import routerModule from "router.wasm";
import { createWorkerdHandler } from "#gateway";
import { readWorkerdOptions } from "./options.ts";

/** The module worker of `npm run build:workerd`. With invalid bindings, workerd does not start. */
export default createWorkerdHandler(readWorkerdOptions(env), routerModule);
