export type RouterErrorCode =
  | "bad_module"
  | "bad_option"
  | "stale_prompt"
  | "bad_snapshot"
  | "memory"
  | "token_count"
  | "unknown_worker"
  | "worker_limit";

/** What the router refuses, with a code for programs and a sentence for people. */
export class RouterError extends Error {
  readonly code: RouterErrorCode;

  constructor(code: RouterErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "RouterError";
    this.code = code;
  }
}
