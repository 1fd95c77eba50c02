export type RouterErrorCode =
  | "bad_module"
  | "bad_option"
  | "stale_prompt"
  | "bad_snapshot"
  | "memory"
  | "token_count"
  | "unknown_worker"
  | "worker_limit";

/** An error of the router, with a code for programs and a message for users. */
export class RouterError extends Error {
  readonly code: RouterErrorCode;

  constructor(code: RouterErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "RouterError";
    this.code = code;
  }
}
