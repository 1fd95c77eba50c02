/** Why a small request to an engine failed. */
export type EngineApiErrorCode =
  /** The connection failed or was lost. */
  | "unreachable"
  | "timeout"
  /** The status is neither 2xx nor that of a missing route. */
  | "bad_status"
  /** The answer is too large. */
  | "too_large"
  /** The answer is not in a known format. */
  | "not_readable"
  /** The engine does not have this feature. */
  | "unsupported";

export interface EngineApiErrorOptions extends ErrorOptions {
  readonly status?: number;
  /** Default: the message. */
  readonly problem?: string;
  readonly fix?: string | undefined;
}

/** A failed request to an engine. The message says which one, and why. */
export class EngineApiError extends Error {
  readonly code: EngineApiErrorCode;
  /** The HTTP status, with `bad_status`. */
  readonly status: number | undefined;
  /** The message without advice. */
  readonly problem: string;
  /** What to do about this cause, as a sentence, if that is known. */
  readonly fix: string | undefined;

  constructor(code: EngineApiErrorCode, message: string, options: EngineApiErrorOptions = {}) {
    super(message, options);
    this.name = "EngineApiError";
    this.code = code;
    this.status = options.status;
    this.problem = options.problem ?? message;
    this.fix = options.fix;
  }
}
