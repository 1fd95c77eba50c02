import { ApiError } from "../../kernel/errors.ts";
import { isRecord, jsonOf } from "../../kernel/json.ts";
import { errorMessageOf } from "../../requests/wire/engine-error.ts";
import { noReply } from "./no-reply.ts";
import { RewrittenReply } from "./rewritten-reply.ts";

/** Reads an engine's error in place of passing it on. */
export class RefusedReply extends RewrittenReply {
  readonly #status: number;
  readonly #onRefused: (error: ApiError) => void;
  readonly #decoder = new TextDecoder();
  #text = "";

  constructor(status: number, onRefused: (error: ApiError) => void) {
    super(noReply());
    this.#status = status;
    this.#onRefused = onRefused;
  }

  override end(): void {
    const body = jsonOf(this.#text);
    const message = errorMessageOf(body) ?? "The engine refused the request.";
    const type = this.#status < 500 ? "invalid_request_error" : "server_error";
    const { code, param } = isRecord(body) && isRecord(body.error) ? body.error : {};
    const details = {
      code: typeof code === "string" ? code : "engine_error",
      param: typeof param === "string" ? param : null,
    };
    this.#onRefused(new ApiError(this.#status, type, message, details));
  }

  override destroy(): void {
    this.end();
  }

  protected override take(bytes: Uint8Array): boolean {
    this.#text += this.#decoder.decode(bytes, { stream: true });
    return true;
  }
}
