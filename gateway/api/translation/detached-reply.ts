import { ApiError } from "../../kernel/errors.ts";
import type { Detached, EventStream } from "../../kernel/event-stream.ts";
import { jsonOf } from "../../kernel/json.ts";
import { errorMessageOf } from "../../requests/wire/engine-error.ts";
import type { WireReply } from "../../wire/types.ts";
import { RewrittenReply } from "./rewritten-reply.ts";

/** Writes a translated answer into a log, whether or not its client stays, until it is not wanted any more. */
export class DetachedReply extends RewrittenReply {
  readonly #stream: EventStream;
  readonly #status: number;
  readonly #onRefused: (error: ApiError) => void;
  readonly #decoder = new TextDecoder();
  readonly #leave: () => void;
  #refusal = "";

  /** @param onRefused gets the engine's error, if it does not answer */
  constructor({ signal, openStream }: Detached, status: number, onRefused: (error: ApiError) => void) {
    super(noReply());
    this.#stream = openStream();
    this.#status = status;
    this.#onRefused = onRefused;
    const abort = () => this.onAbort?.();
    this.#leave = () => signal.removeEventListener("abort", abort);
    signal.addEventListener("abort", abort, { once: true });
  }

  override get response(): Response {
    return this.#stream.response;
  }

  override end(): void {
    this.#leave();
    if (this.#status < 300) this.#stream.end();
    else {
      const message = errorMessageOf(jsonOf(this.#refusal)) ?? "The engine refused the request.";
      const type = this.#status < 500 ? "invalid_request_error" : "server_error";
      this.#onRefused(new ApiError(this.#status, type, message, { code: "engine_error" }));
    }
  }

  override destroy(): void {
    this.#leave();
    this.#stream.end();
  }

  protected override take(bytes: Uint8Array): boolean {
    const text = this.#decoder.decode(bytes, { stream: true });
    if (this.#status < 300) this.#stream.write(text);
    else this.#refusal += text;
    return true;
  }
}

/** Drops an answer: there is no client whose connection could be full or lost. */
export const noReply = (): WireReply => ({
  response: new Response(null),
  isHolding: false,
  onWritable: undefined,
  onAbort: undefined,
  write: () => true,
  finish: () => {},
  writeText: () => true,
  end: () => {},
  destroy: () => {},
});
