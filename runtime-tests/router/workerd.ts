/**
 * A worker that replays the posted trace and returns the report. workerd does not compile WebAssembly at run time, so
 * the compiled module is an import.
 */
import module from "../../router-wasm/router.wasm";
import { replay } from "./router.suite.ts";

export default {
  async fetch(request: Request): Promise<Response> {
    return Response.json(replay(module, await request.json()));
  },
};
