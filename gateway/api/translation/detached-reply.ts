import type { Detached, EventStream } from "../../kernel/event-stream.ts";
import { noReply } from "./no-reply.ts";
import { RewrittenReply } from "./rewritten-reply.ts";

/** Writes a translated answer into a log, whether or not its client stays, until it is not wanted any more. */
export class DetachedReply extends RewrittenReply {
  readonly #stream: EventStream;
  readonly #decoder = new TextDecoder();
  readonly #leave: () => void;

  constructor({ signal, openStream }: Detached) {
    super(noReply());
    this.#stream = openStream();
    const abort = () => this.onAbort?.();
    this.#leave = () => signal.removeEventListener("abort", abort);
    signal.addEventListener("abort", abort, { once: true });
  }

  override get response(): Response {
    return this.#stream.response;
  }

  override end(): void {
    this.#leave();
    this.#stream.end();
  }

  override destroy(): void {
    this.end();
  }

  protected override take(bytes: Uint8Array): boolean {
    this.#stream.write(this.#decoder.decode(bytes, { stream: true }));
    return true;
  }
}
