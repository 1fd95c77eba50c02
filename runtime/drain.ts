import { putUint32, uint32 } from "./request-plane/frame.ts";
import { PlaneError } from "./request-plane/types.ts";

/** The endpoint by which an operator, through a gateway, has a worker leave. */
export const drainEndpoint = "drain";

/** The payload of such a call. @param withinMs how long running calls may go on before they move to other workers */
export function encodeDrainRequest(withinMs: number): Uint8Array {
  const payload = new Uint8Array(4);
  putUint32(payload, 0, withinMs);
  return payload;
}

/** Decodes the output of `encodeDrainRequest`. @throws PlaneError `invalid_request` if it is something else */
export function decodeDrainRequest(payload: Uint8Array): number {
  if (payload.length < 4) throw new PlaneError("invalid_request", "A drain request has four bytes or more.");
  return uint32(payload, 0);
}
