import { putUint32, uint32 } from "./request-plane/frame.ts";
import { PlaneError } from "./request-plane/types.ts";

/** The endpoint by which an operator, through a gateway, has a worker leave. */
export const drainEndpoint = "drain";

/**
 * The payload of such a call.
 * @param withinMs how long running calls may go on before they move to other workers; undefined: as the worker was told
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
  if (payload.length < 4) throw new PlaneError("invalid_request", "A drain request has no bytes, or four.");
  return uint32(payload, 0);
}
