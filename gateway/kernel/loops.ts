import { ApiError } from "./errors.ts";

/** https://www.rfc-editor.org/rfc/rfc5842#section-7.2 */
export const LOOP_STATUS = 508;

/**
 * The entry that a gateway adds to the `via` header of its requests, by which it detects loops; see
 * https://www.rfc-editor.org/rfc/rfc9110#field.via.
 * @param id the gateway's id, shared by all of its processes
 */
export const viaOf = (id: string): string => `1.1 stator-${id}`;

/** @throws ApiError 508 for a request that this gateway has sent */
export function refuseLoop(via: string | undefined, own: string): void {
  if (via === undefined || !via.split(",").some((hop) => hop.trim() === own)) return;
  throw new ApiError(
    LOOP_STATUS,
    "server_error",
    "This request looped back to the gateway that forwarded it: one of its engines is the gateway itself, or leads to it. Attach the engine's own address, or give the gateway another --port.",
    { code: "loop_detected" },
  );
}
