import type { ApiError } from "../kernel/errors.ts";

/** Thrown for a request that another model is to answer: nobody has acted on it, or it does not matter. */
export class PassedOn extends Error {
  /** What the client would have been told. */
  readonly error: ApiError;

  constructor(error: ApiError) {
    super(error.message);
    this.error = error;
  }
}
