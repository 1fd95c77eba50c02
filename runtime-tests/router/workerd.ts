/**
 * A worker that replays the trace posted to it and answers the report. workerd compiles no WebAssembly at run time:
 * the module comes compiled, as an import.
 */
import module from "../../router-wasm/router.wasm";
import { replay } from "./router.suite.ts";

export default {
  async fetch(request: Request): Promise<Response> {
    return Response.json(replay(module, await request.json()));
  },
};
