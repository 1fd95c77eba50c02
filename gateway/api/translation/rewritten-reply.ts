import { unframed } from "../../wire/chunk-tracker.ts";
import type { WireReply } from "../../wire/types.ts";

/** A reply that passes on what concerns the connection, and rewrites what is said. */
export abstract class RewrittenReply implements WireReply {
  protected readonly reply: WireReply;
  onWritable: (() => void) | undefined;
  onAbort: (() => void) | undefined;

  constructor(reply: WireReply) {
    this.reply = reply;
    reply.onWritable = () => this.onWritable?.();
    reply.onAbort = () => this.onAbort?.();
  }

  get isHolding(): boolean {
    return false;
  }

  get response(): Response {
    return this.reply.response;
  }

  write(wire: Uint8Array, isFramed: boolean): boolean {
    return this.take(isFramed ? unframed(wire) : wire);
  }

  finish(wire: Uint8Array, isFramed: boolean): void {
    if (wire.length > 0) this.write(wire, isFramed);
    this.end();
  }

  writeText(text: string): boolean {
    return this.take(utf8.encode(text));
  }

  destroy(): void {
    this.reply.destroy();
  }

  abstract end(): void;
  /** @param bytes of the body: in a stream, every piece but the last consists of whole events */
  protected abstract take(bytes: Uint8Array): boolean;
}

const utf8 = new TextEncoder();
