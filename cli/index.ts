/** The command line's public face, for benchmarks and tests. */
export { defaultModelFolder, fetchModel, type ModelFile } from "./models/index.ts";
export { routerWasm } from "./paths.ts";
