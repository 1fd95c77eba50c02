import type { ServerResponse } from "node:http";
import type { Writable } from "node:stream";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import type { HttpHead, HttpHeader, WireReply } from "../../../dispatch/http/types.ts";
import { ChunkTracker } from "./chunk-tracker.ts";

const COPIED_BYTES = 8 * 1024;
const LAST_CHUNK = "0\r\n\r\n";

/**
 * An answer whose body goes to the client's socket as the engine sent it, chunk framing included: Node's response
 * writes the head, and what it would do for each piece after that is passed by.
 */
export class NodeWireReply implements WireReply {
  readonly response = RESPONSE_ALREADY_SENT;
  onWritable: (() => void) | undefined;
  onAbort: (() => void) | undefined;
  readonly #outgoing: ServerResponse;
  /** Whether the client takes chunks; one of HTTP/1.0 gets the bare body, until the connection closes. */
  readonly #isChunked: boolean;
  /** Takes the framing off, for a client that does not know it. */
  readonly #unframe: ChunkTracker | undefined;
  /** Whether the engine's bytes have to be made into chunks here. */
  readonly #frames: boolean;
  #hasBegun = false;
  #isFull = false;
  #isHolding = false;
  /** Longest silence on the client's connection in milliseconds, as it was before the answer. */
  #silenceMs = 0;

  constructor(outgoing: ServerResponse, head: HttpHead, headers: readonly HttpHeader[]) {
    this.#outgoing = outgoing;
    const knowsChunks = outgoing.req.httpVersionMajor === 1 && outgoing.req.httpVersionMinor >= 1;
    this.#isChunked = head.hasBody && head.contentLength === undefined && knowsChunks;
    this.#unframe = head.isFramed && !this.#isChunked ? new ChunkTracker() : undefined;
    this.#frames = this.#isChunked && !head.isFramed;
    const all = [...head.headers.filter(([name]) => !headers.some(([own]) => own === name)), ...headers];
    if (head.contentLength !== undefined) all.push(["content-length", String(head.contentLength)]);
    else if (this.#isChunked) all.push(["transfer-encoding", "chunked"]);
    outgoing.writeHead(head.status, all.flat());
    // From here on the framing is the engine's, or made in `writeText`.
    outgoing.chunkedEncoding = false;
    if (head.isEventStream) this.#stopWatch();
    outgoing.on("close", () => {
      if (!outgoing.writableFinished) this.onAbort?.();
    });
  }

  get isHolding(): boolean {
    return this.#isHolding;
  }

  write(wire: Uint8Array): boolean {
    if (this.#frames) return this.#sendChunk(wire);
    if (this.#unframe === undefined) return this.#send(wire);
    let isWritable = true;
    this.#unframe.push(wire, (from, to) => {
      isWritable = this.#send(wire.subarray(from, to)) && isWritable;
    });
    return isWritable;
  }

  finish(wire: Uint8Array): void {
    if (wire.length > 0) this.write(wire);
    if (this.#frames) this.#send(LAST_CHUNK);
    this.#end();
  }

  writeText(text: string): boolean {
    return this.#isChunked ? this.#sendChunk(Buffer.from(text)) : this.#send(text);
  }

  end(): void {
    if (this.#isChunked) this.#send(LAST_CHUNK);
    this.#end();
  }

  destroy(): void {
    this.onAbort = undefined;
    this.#outgoing.destroy();
  }

  get #target(): Writable {
    const { socket } = this.#outgoing;
    // A response that waits behind another one of its connection has no socket yet and keeps what it is given.
    return this.#hasBegun && socket?.writable ? socket : this.#outgoing;
  }

  #send(bytes: Uint8Array | string): boolean {
    const target = this.#target;
    const mustWait = target === this.#outgoing || target.writableLength > 0 || target.writableCorked > 0;
    this.#hasBegun = true;
    // What has to wait anyway is copied, if it is small, so that its buffer can be read into again.
    const isCopied = mustWait && bytes.length <= COPIED_BYTES && typeof bytes !== "string";
    if (!target.write(isCopied ? Buffer.from(bytes) : bytes)) this.#waitFor(target);
    this.#isHolding = !isCopied && target.writableLength > 0;
    return !this.#isFull;
  }

  #sendChunk(body: Uint8Array): boolean {
    this.#send(`${body.length.toString(16)}\r\n`);
    this.#send(body);
    return this.#send("\r\n");
  }

  #end(): void {
    this.#watch();
    this.#outgoing.end();
  }

  /** While a stream flows, its silences are not measured: that would be a timer to set anew with every piece. */
  #stopWatch(): void {
    const { socket, writableEnded } = this.#outgoing;
    if (!socket?.timeout || writableEnded) return;
    this.#silenceMs = socket.timeout;
    socket.setTimeout(0);
  }

  /** A client that leaves unread what there is, is cut off after a while. */
  #watch(): void {
    if (this.#silenceMs > 0) this.#outgoing.socket?.setTimeout(this.#silenceMs);
  }

  #waitFor(target: Writable): void {
    if (this.#isFull) return;
    this.#isFull = true;
    this.#watch();
    target.once("drain", () => {
      this.#isFull = false;
      this.#stopWatch();
      this.onWritable?.();
    });
  }
}
