import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { PrefillResponseSchema } from "#proto";
import { PlaneError } from "../request-plane/types.ts";
import { decodeKvSource, encodeKvSource, type KvSource, kvSourceSchema } from "./kv-source.ts";

/**
 * The endpoint of a worker that exports KV. Its payload is that of `generate`. It computes the prompt's KV and the answer's
 * first token, answers with one `PrefillResponse`, and then holds the KV for as long as the call is open: until the client
 * cancels it, its connection breaks, or the lease runs out, in which case the call fails with `deadline_exceeded`.
 */
export const prefillEndpoint = "prefill";

export interface PrefillResponse {
  /** The answer's first token, as one message for a `DeltaDecoder`. */
  delta: Uint8Array;
  /** Where the KV of the prompt can be read; absent if the answer ended with `delta`. */
  kv?: KvSource | undefined;
}

/** The answer of `prefill` as bytes: the protobuf message `stator.v1.PrefillResponse`. */
export function encodePrefillResponse({ delta, kv }: PrefillResponse): Uint8Array {
  const message = create(PrefillResponseSchema, { delta, ...(kv && { kv: encodeKvSource(kv) }) });
  return toBinary(PrefillResponseSchema, message);
}

/**
 * Decodes the output of `encodePrefillResponse`. The result owns its memory.
 *
 * @throws PlaneError `invalid_request` if the bytes are something else
 */
export function decodePrefillResponse(message: Uint8Array): PrefillResponse {
  try {
    // The message's byte fields would be views of memory that its sender reuses.
    const { delta, kv } = fromBinary(PrefillResponseSchema, message.slice());
    return { delta, ...(kv && { kv: kvSourceSchema.parse(decodeKvSource(kv)) }) };
  } catch (cause) {
    throw new PlaneError("invalid_request", "The prefill answer is not a valid protobuf message.", { cause });
  }
}
