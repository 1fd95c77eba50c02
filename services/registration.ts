import { z } from "zod";

/** An instance of a service, stored in discovery under `services/<service>/<id>`. */
export const registrationSchema = z.object({
  id: z.string().min(1),
  service: z.string(),
  /** A short readable name. */
  name: z.string(),
  /** Address of its request plane. */
  address: z.string(),
  pid: z.number().int(),
  /** Set once it is leaving, and takes no more requests. */
  isLeaving: z.boolean().optional(),
});

export type Registration = z.infer<typeof registrationSchema>;

export const keysOf = (service: string): string => `services/${service}/`;

/** Requests travel with their id in front: u8 length, the id in ASCII, the request. */
export function frameRequest(requestId: string, payload: Uint8Array): Uint8Array {
  const id = new TextEncoder().encode(requestId);
  const framed = new Uint8Array(1 + id.length + payload.length);
  framed[0] = id.length;
  framed.set(id, 1);
  framed.set(payload, 1 + id.length);
  return framed;
}

/** Splits what `frameRequest` has framed. @returns undefined if it is something else */
export function splitRequest(
  framed: Uint8Array,
): { readonly requestId: string; readonly payload: Uint8Array } | undefined {
  const length = framed[0];
  if (length === undefined || framed.length < 1 + length) return undefined;
  const requestId = new TextDecoder().decode(framed.subarray(1, 1 + length));
  return { requestId, payload: framed.subarray(1 + length) };
}
