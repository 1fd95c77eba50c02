import { endianness } from "node:os";
import { fingerprint } from "../kv-format.ts";
import { LLAMA_VERSION } from "./packages.ts";

/**
 * Names what a projector makes of media: a worker can use the features of another one only if this is equal. They depend on
 * the projector's weights and the release of llama.cpp; 2 is the version of `packParts`.
 */
export const featureFormatOf = async (projectorPath: string): Promise<string> =>
  `llama.cpp mtmd=${LLAMA_VERSION} projector=${await fingerprint(projectorPath)} layout=2 ${endianness()}`;
