/** What went wrong between the gateway and an engine's small requests. */
export type EngineApiErrorCode =
  /** No connection, or one that was lost. */
  | "unreachable"
  | "timeout"
  /** An answer that is neither 2xx nor one that says that there is no such route. */
  | "bad_status"
  /** More bytes than an answer may have. */
  | "too_large"
  /** Not what the route is known to answer. */
  | "not_readable"
  /** The engine has no such ability, and was not asked. */
  | "unsupported";

/** A request to an engine that did not bring what it should. Its message says which, and why. */
export class EngineApiError extends Error {
  readonly code: EngineApiErrorCode;
  /** Of the HTTP answer, with `bad_status`. */
  readonly status: number | undefined;

  constructor(code: EngineApiErrorCode, message: string, options?: ErrorOptions & { status?: number }) {
    super(message, options);
    this.name = "EngineApiError";
    this.code = code;
    this.status = options?.status;
  }
}
