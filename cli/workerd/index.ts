import { env } from "cloudflare:workers";
// The bundle has it beside itself: workerd compiles no WebAssembly at run time.
import routerModule from "router.wasm";
import { createWorkerdHandler } from "#gateway";
import { readWorkerdOptions } from "./options.ts";

/** The module worker of `npm run build:workerd`. Where its bindings are not right, workerd does not start. */
export default createWorkerdHandler(readWorkerdOptions(env), routerModule);
