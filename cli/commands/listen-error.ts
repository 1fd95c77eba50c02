import { AccessError } from "#gateway";
import { PlaneError } from "#runtime";
import { UsageError } from "../options/read.ts";
import { type Place, portError } from "./free-port.ts";

/** Turns errors of listening and of invalid options into messages that say what to do; returns others unchanged. */
export function listenError(error: unknown, place: Place): unknown {
  // All describe invalid files or addresses.
  const isUsage =
    error instanceof AccessError ||
    error instanceof PlaneError ||
    (error instanceof Error && error.name === "ApiError");
  return portError(error, place) ?? (isUsage ? new UsageError(error.message) : error);
}
