import type { Context } from "hono";
import { joinBytes } from "../kernel/bytes.ts";
import { isLocalExhaustion } from "../kernel/exhaustion.ts";
import { EventBoundary, LONGEST_EVENT } from "./event-boundary.ts";
import { HeldBytes } from "./held-bytes.ts";
import { isHopByHop } from "./hop-by-hop.ts";
import {
  type HttpCall,
  HttpError,
  type HttpHead,
  type HttpHeader,
  type HttpReceiver,
  type HttpRequest,
  type HttpTimeouts,
  type HttpTransport,
  isEventStreamType,
  type WireReply,
} from "./types.ts";
import { WebWireReply } from "./web-wire-reply.ts";

/** HTTP with `fetch` and web streams, for runtimes without access to sockets. Bytes are the unframed body. */
export class FetchTransport implements HttpTransport {
  call(request: HttpRequest, receiver: HttpReceiver, timeouts: HttpTimeouts): HttpCall {
    const call = new FetchCall(request, receiver, timeouts);
    void call.run();
    return call;
  }

  reply(_context: Context, head: HttpHead, headers: readonly HttpHeader[]): WireReply {
    return new WebWireReply(head, headers);
  }

  close(): void {}
}

class FetchCall implements HttpCall {
  readonly #request: HttpRequest;
  readonly #receiver: HttpReceiver;
  readonly #timeouts: HttpTimeouts;
  readonly #abort = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isOver = false;
  /** The incomplete event received so far. */
  readonly #held = new HeldBytes();
  readonly #boundary = new EventBoundary();
  /** While paused: resolves on `resume`. */
  #paused: { promise: Promise<void>; resolve: () => void } | undefined;

  constructor(request: HttpRequest, receiver: HttpReceiver, timeouts: HttpTimeouts) {
    this.#request = request;
    this.#receiver = receiver;
    this.#timeouts = timeouts;
  }

  async run(): Promise<void> {
    const { firstByteMs, idleMs } = this.#timeouts;
    this.#limit(firstByteMs, `The engine sent nothing within ${firstByteMs / 1000} s.`);
    try {
      const response = await this.#fetch();
      if (this.#isOver) return;
      const head = headOf(response, this.#request.method);
      this.#receiver.onHead(head);
      if (head.hasBody && response.body !== null) await this.#read(response.body, head.isEventStream, idleMs);
      if (this.#isOver) return;
      this.#close();
      this.#receiver.onEnd(this.#held.takeWith(), false);
    } catch (error) {
      this.#fail(asHttpError(error));
    }
  }

  cancel(): void {
    if (this.#isOver) return;
    this.#close();
    this.#abort.abort();
  }

  pause(): void {
    if (!this.#isOver) this.#paused ??= Promise.withResolvers<void>();
  }

  resume(): void {
    this.#paused?.resolve();
    this.#paused = undefined;
  }

  #fetch(): Promise<Response> {
    const { origin, path, method, headers, body } = this.#request;
    return fetch(origin + path, {
      method,
      headers: headers.map(([name, value]): [string, string] => [name, value]),
      // A copy, because `fetch` does not accept shared memory.
      body: body === undefined ? null : joinBytes(body instanceof Uint8Array ? [body] : body),
      redirect: "manual",
      signal: this.#abort.signal,
    });
  }

  async #read(body: ReadableStream<Uint8Array>, isEventStream: boolean, idleMs: number): Promise<void> {
    const reader = body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (this.#isOver) return void reader.cancel().catch(() => {});
      if (done) return;
      this.#limit(idleMs, `The engine sent nothing more for ${idleMs / 1000} s.`);
      if (isEventStream) this.#passEvents(value);
      else this.#receiver.onBytes(value, false);
      if (this.#paused === undefined) continue;
      // While the client is not reading, silence is not the server's fault.
      clearTimeout(this.#timer);
      await this.#paused.promise;
      if (!this.#isOver) this.#limit(idleMs, `The engine sent nothing more for ${idleMs / 1000} s.`);
    }
  }

  /** Passes on whole events, and holds the rest. */
  #passEvents(value: Uint8Array): void {
    const end = this.#boundary.push(value);
    const whole = end === 0 ? undefined : this.#held.takeWith(value.subarray(0, end));
    this.#held.add(value.subarray(end));
    if (this.#held.length > LONGEST_EVENT)
      throw new HttpError("garbage", `The engine sent an event of more than ${LONGEST_EVENT / 2 ** 20} MiB.`);
    if (whole !== undefined) this.#receiver.onBytes(whole, false);
  }

  #limit(ms: number, message: string): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const { signal } = this.#abort;
      this.#fail(new HttpError("timeout", message));
      if (!signal.aborted) this.#abort.abort();
    }, ms);
  }

  #fail(error: HttpError): void {
    if (this.#isOver) return;
    this.#close();
    this.#receiver.onError(error);
  }

  #close(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.resume();
  }
}

function headOf(response: Response, method: string): HttpHead {
  const { status, headers } = response;
  const length = headers.get("content-length");
  const hasBody = method !== "HEAD" && status !== 204 && status !== 304 && response.body !== null;
  // A body that fetch has decompressed has another length, and is no longer encoded.
  const isCoded = headers.has("content-encoding");
  const isEventStream = isEventStreamType(headers.get("content-type"));
  return {
    status,
    headers: [...headers].filter(
      ([name]) => !isHopByHop(name) && name !== "content-length" && name !== "content-encoding",
    ),
    contentLength:
      isEventStream || length === null || isCoded || !/^\d{1,15}$/.test(length) ? undefined : Number(length),
    hasBody,
    isEventStream,
    // fetch has already decompressed it.
    isEncoded: false,
  };
}

/** Runtimes name causes differently. What matters is whether the connection failed, so that nothing was sent. */
function asHttpError(error: unknown): HttpError {
  if (error instanceof HttpError) return error;
  if (isLocalExhaustion(error)) return new HttpError("unsent", "No connection could be opened.", error);
  const texts: string[] = [];
  for (let cause = error; cause instanceof Error; cause = cause.cause)
    texts.push(cause.message, "code" in cause ? String(cause.code) : "");
  const text = texts.join(" ");
  if (/refused|notfound|not ?found|getaddrinfo|dns|unreachable|ECONNREFUSED|unable to connect/i.test(text))
    return new HttpError("unsent", "The connection to the engine failed.", error);
  if (/parse|malformed|invalid http|HPE_|not match the HTTP/i.test(text))
    return new HttpError("garbage", "The engine's answer is not HTTP.", error);
  return new HttpError("lost", "The engine closed the connection before its answer was complete.", error);
}
