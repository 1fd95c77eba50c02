import { ApiError } from "./errors.ts";

/** https://www.rfc-editor.org/rfc/rfc5842#section-7.2 */
export const LOOP_STATUS = 508;

/**
 * What a gateway adds to the header `via` of all that it sends (https://www.rfc-editor.org/rfc/rfc9110#field.via), and
 * by which it knows its own requests when they come back.
 * @param id the gateway's, one for all of its processes
 */
export const viaOf = (id: string): string => `1.1 stator-${id}`;

/** @throws ApiError 508 for a request that this gateway has sent itself */
export function refuseLoop(via: string | undefined, own: string): void {
  if (via === undefined || !via.split(",").some((hop) => hop.trim() === own)) return;
  throw new ApiError(
    LOOP_STATUS,
    "server_error",
    "This request has come back to the gateway that sent it on: one of its engines is the gateway itself, or leads to it. Attach the engine's own address, or give the gateway another --port.",
    { code: "loop_detected" },
  );
}
