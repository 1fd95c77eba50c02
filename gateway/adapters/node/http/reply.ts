import type { ServerResponse } from "node:http";
import type { Writable } from "node:stream";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { unframed } from "../../../wire/chunk-tracker.ts";
import type { HttpHead, HttpHeader, WireReply } from "../../../wire/types.ts";

const COPIED_BYTES = 8 * 1024;
/** Bytes of a chunk's size line and line breaks. */
const LONGEST_FRAME = 16;
const LAST_CHUNK = "0\r\n\r\n";

/**
 * An answer whose body goes to the client's socket as the engine sent it, with its chunk framing if it can be kept.
 * Node's response writes the head; its work for each later piece is bypassed.
 */
export class NodeWireReply implements WireReply {
  readonly response = RESPONSE_ALREADY_SENT;
  onWritable: (() => void) | undefined;
  onAbort: (() => void) | undefined;
  readonly #outgoing: ServerResponse;
  /** Whether the client supports chunks; an HTTP/1.0 client gets the plain body until the connection closes. */
  readonly #isChunked: boolean;
  #hasBegun = false;
  #isFull = false;
  #isHolding = false;
  /** The client connection's idle timeout from before the answer, in milliseconds. */
  #idleMs = 0;

  constructor(outgoing: ServerResponse, head: HttpHead, headers: readonly HttpHeader[]) {
    this.#outgoing = outgoing;
    const knowsChunks = outgoing.req.httpVersionMajor === 1 && outgoing.req.httpVersionMinor >= 1;
    this.#isChunked = head.hasBody && head.contentLength === undefined && knowsChunks;
    const all = [...head.headers.filter(([name]) => !headers.some(([own]) => own === name)), ...headers];
    if (head.contentLength !== undefined) all.push(["content-length", String(head.contentLength)]);
    else if (this.#isChunked) all.push(["transfer-encoding", "chunked"]);
    outgoing.writeHead(head.status, all.flat());
    // From here on, the framing is the engine's or done here.
    outgoing.chunkedEncoding = false;
    if (head.isEventStream) this.#stopIdleTimeout();
    outgoing.on("close", () => {
      if (!outgoing.writableFinished) this.onAbort?.();
    });
  }

  get isHolding(): boolean {
    return this.#isHolding;
  }

  write(wire: Uint8Array, isFramed: boolean): boolean {
    if (isFramed === this.#isChunked) return this.#send(wire);
    return isFramed ? this.#send(unframed(wire)) : this.#sendChunk(wire);
  }

  finish(wire: Uint8Array, isFramed: boolean): void {
    const { socket } = this.#outgoing;
    socket?.cork();
    if (wire.length > 0) this.write(wire, isFramed);
    this.end();
    socket?.uncork();
  }

  writeText(text: string): boolean {
    return this.write(Buffer.from(text), false);
  }

  end(): void {
    if (this.#isChunked) this.#send(LAST_CHUNK);
    this.#startIdleTimeout();
    this.#outgoing.end();
  }

  destroy(): void {
    this.onAbort = undefined;
    this.#outgoing.destroy();
  }

  get #target(): Writable {
    const { socket } = this.#outgoing;
    // A response that waits for an earlier one on its connection has no socket yet, and buffers what is written.
    return this.#hasBegun && socket?.writable ? socket : this.#outgoing;
  }

  #send(bytes: Uint8Array | string): boolean {
    const target = this.#target;
    const mustWait = target === this.#outgoing || target.writableLength > 0 || target.writableCorked > 0;
    this.#hasBegun = true;
    // Small data that has to wait anyway is copied, so that its read buffer can be reused.
    const isCopied = mustWait && bytes.length <= COPIED_BYTES && typeof bytes !== "string";
    if (!target.write(isCopied ? Buffer.from(bytes) : bytes)) this.#waitFor(target);
    this.#isHolding = !isCopied && target.writableLength > 0;
    return !this.#isFull;
  }

  /** Frames the data as a chunk; a small chunk is copied, so that it takes one write. */
  #sendChunk(body: Uint8Array): boolean {
    if (body.length === 0) return !this.#isFull;
    const size = `${body.length.toString(16)}\r\n`;
    if (body.length > COPIED_BYTES) {
      this.#send(size);
      this.#send(body);
      const isHolding = this.#isHolding;
      this.#send("\r\n");
      this.#isHolding ||= isHolding;
      return !this.#isFull;
    }
    const chunk = Buffer.allocUnsafe(body.length + LONGEST_FRAME);
    let length = chunk.write(size, 0, "latin1");
    chunk.set(body, length);
    length += body.length;
    length += chunk.write("\r\n", length, "latin1");
    const isWritable = this.#send(chunk.subarray(0, length));
    this.#isHolding = false;
    return isWritable;
  }

  /** While a stream flows, the idle timeout is off: its timer would be reset with every piece. */
  #stopIdleTimeout(): void {
    const { socket, writableEnded } = this.#outgoing;
    if (!socket?.timeout || writableEnded) return;
    this.#idleMs = socket.timeout;
    socket.setTimeout(0);
  }

  /** Disconnects a client that leaves data unread for too long. */
  #startIdleTimeout(): void {
    if (this.#idleMs > 0) this.#outgoing.socket?.setTimeout(this.#idleMs);
  }

  #waitFor(target: Writable): void {
    if (this.#isFull) return;
    this.#isFull = true;
    this.#startIdleTimeout();
    target.once("drain", () => {
      this.#isFull = false;
      this.#stopIdleTimeout();
      this.onWritable?.();
    });
  }
}
