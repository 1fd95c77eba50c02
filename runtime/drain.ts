import { putUint32, uint32 } from "./request-plane/frame.ts";
import { PlaneError } from "./request-plane/types.ts";

/** The endpoint by which gateways ask a worker to drain and leave, on behalf of an operator. */
export const drainEndpoint = "drain";

/**
 * Encodes the payload of a call to it.
 * @param withinMs after how long running calls move to other workers; undefined for the worker's own setting
 */
export function encodeDrainRequest(withinMs: number | undefined): Uint8Array {
  if (withinMs === undefined) return new Uint8Array(0);
  const payload = new Uint8Array(4);
  putUint32(payload, 0, withinMs);
  return payload;
}

/** Decodes the output of `encodeDrainRequest`. @throws PlaneError `invalid_request` if it is something else */
export function decodeDrainRequest(payload: Uint8Array): number | undefined {
  if (payload.length === 0) return undefined;
  if (payload.length < 4)
    throw new PlaneError("invalid_request", "A drain request is empty or has four bytes.");
  return uint32(payload, 0);
}
