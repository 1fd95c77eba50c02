import type { ApiError } from "../../kernel/errors.ts";
import { jsonOf } from "../../kernel/json.ts";
import { engineErrorOf } from "../../requests/wire/engine-error.ts";
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
    this.#onRefused(engineErrorOf(jsonOf(this.#text), this.#status, "The engine refused the request."));
  }

  override destroy(): void {
    this.end();
  }

  protected override take(bytes: Uint8Array): boolean {
    this.#text += this.#decoder.decode(bytes, { stream: true });
    return true;
  }
}
