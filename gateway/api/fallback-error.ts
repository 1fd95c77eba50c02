import type { ApiError } from "../kernel/errors.ts";

/** Thrown if another model should answer: no member has acted on the request, or it is safe to repeat. */
export class FallbackError extends Error {
  /** The error for the client if there is no fallback. */
  readonly error: ApiError;

  constructor(error: ApiError) {
    super(error.message);
    this.error = error;
  }
}
