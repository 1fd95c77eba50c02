import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { DrainRequestSchema } from "#proto";
import { PlaneError } from "./request-plane/types.ts";

/** The endpoint by which gateways ask a worker to drain and leave, on behalf of an operator. */
export const drainEndpoint = "drain";

/**
 * Encodes the payload of a call to it: the protobuf message `stator.v1.DrainRequest`.
 * @param withinMs after how long running calls move to other workers; undefined for the worker's own setting
 */
export function encodeDrainRequest(withinMs: number | undefined): Uint8Array {
  const message = create(DrainRequestSchema);
  if (withinMs !== undefined) message.withinMs = Math.min(Math.ceil(withinMs), 0xffffffff);
  return toBinary(DrainRequestSchema, message);
}

/** Decodes the output of `encodeDrainRequest`. @throws PlaneError `invalid_request` if it is something else */
export function decodeDrainRequest(payload: Uint8Array): number | undefined {
  try {
    return fromBinary(DrainRequestSchema, payload).withinMs;
  } catch (cause) {
    throw new PlaneError("invalid_request", "The drain request is not a valid protobuf message.", { cause });
  }
}
