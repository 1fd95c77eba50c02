import type { HttpTimeouts } from "../../wire/types.ts";
import type { RequestOptions } from "../options.ts";

/** The timeouts of a request to an engine. */
export const timeoutsOf = ({ connectMs, firstByteMs, idleMs }: RequestOptions): HttpTimeouts => ({
  connectMs,
  firstByteMs,
  idleMs,
});
