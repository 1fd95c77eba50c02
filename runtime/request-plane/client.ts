import { encodeCallHead } from "./call-frame.ts";
import { OutgoingCall } from "./client-call.ts";
import { defaultMaxMessageBytes, defaultWindowBytes, frameType } from "./frame.ts";
import { FrameParser } from "./frame-parser.ts";
import { FrameWriter } from "./frame-writer.ts";
import { decodeError, decodeHello, encodeHello, maxHelloBytes } from "./handshake.ts";
import { defaultPingMs, Heartbeat } from "./heartbeat.ts";
import type { Pipe } from "./pipe.ts";
import { connectPipe } from "./transport.ts";
import {
  type CallOptions,
  type ClientCall,
  type ConnectOptions,
  PlaneError,
  type Receiver,
  type RequestPlaneClient,
} from "./types.ts";

/**
 * Connects to a server at `address`.
 *
 * @throws PlaneError `connection_lost` if nothing listens there, `deadline_exceeded` if it takes too long,
 *   `invalid_request` if the address is malformed or the peer speaks another protocol or version
 */
export async function connect(address: string, options: ConnectOptions = {}): Promise<RequestPlaneClient> {
  const timeoutMs = options.connectTimeoutMs ?? 5_000;
  const timeout = new AbortController();
  const timer = setTimeout(() => {
    timeout.abort(new PlaneError("deadline_exceeded", `${address} did not answer within ${timeoutMs} ms.`));
  }, timeoutMs);
  try {
    const pipe = await connectPipe(address, timeout.signal, options);
    const client = new Client(address, pipe, options);
    timeout.signal.addEventListener("abort", () => client.giveUp(timeout.signal.reason), { once: true });
    await client.ready;
    return client;
  } finally {
    clearTimeout(timer);
  }
}

class Client implements RequestPlaneClient {
  readonly address: string;
  readonly closed: Promise<Error | undefined>;
  /** Resolves when the server has sent hello. */
  readonly ready: Promise<void>;
  readonly writer: FrameWriter;
  readonly #pipe: Pipe;
  readonly #parser: FrameParser;
  readonly #calls = new Map<number, OutgoingCall>();
  readonly #closed = Promise.withResolvers<Error | undefined>();
  readonly #ready = Promise.withResolvers<void>();
  readonly #maxMessageBytes: number;
  readonly #heartbeat: Heartbeat;
  #peerMaxBytes = 0;
  #lastStream = 0;
  #greeted = false;
  /** Why the connection is closed. */
  #lost: PlaneError | undefined;

  constructor(
    address: string,
    pipe: Pipe,
    { maxMessageBytes = defaultMaxMessageBytes, pingMs = defaultPingMs }: ConnectOptions,
  ) {
    this.address = address;
    this.closed = this.#closed.promise;
    this.ready = this.#ready.promise;
    this.ready.catch(() => {});
    this.#maxMessageBytes = maxMessageBytes;
    this.#pipe = pipe;
    this.writer = new FrameWriter(pipe);
    this.#parser = new FrameParser(this, maxHelloBytes);
    this.#heartbeat = new Heartbeat(
      pingMs,
      () => this.writer.frame(frameType.ping, 0),
      (ms) =>
        this.giveUp(new PlaneError("connection_lost", `${address} has been silent for ${ms / 1000} s.`)),
    );
    pipe.start(this);
    this.writer.frame(
      frameType.hello,
      0,
      encodeHello({ maxMessageBytes, pingMs: pipe.detectsSilence ? 0 : pingMs, knowsGoodbye: true }),
    );
    this.writer.flush();
  }

  call(endpoint: string, payload: Uint8Array, receiver: Receiver, options: CallOptions = {}): ClientCall {
    const { windowBytes = defaultWindowBytes } = options;
    const deadlineMs = Math.min(Math.ceil(options.deadlineMs ?? 0), maxDeadlineMs);
    const stream = this.#nextStream();
    const call = new OutgoingCall(this, stream, receiver, windowBytes, deadlineMs);
    if (this.#lost) {
      call.refuse(this.#lost);
    } else if (payload.length > this.#peerMaxBytes) {
      const reason = `A request of ${payload.length} bytes is longer than the server's limit of ${this.#peerMaxBytes}.`;
      call.refuse(new PlaneError("invalid_request", reason));
    } else {
      this.#calls.set(stream, call);
      const head = encodeCallHead({ endpoint, windowBytes, deadlineMs });
      this.writer.frame(frameType.call, stream, head, payload);
    }
    return call;
  }

  close(): void {
    this.#leave(new PlaneError("connection_lost", "The connection was closed on this side."));
  }

  forget(stream: number): void {
    this.#calls.delete(stream);
  }

  onData(chunk: Uint8Array): void {
    this.#heartbeat.onReceived();
    try {
      this.#parser.push(chunk);
    } catch (error) {
      this.giveUp(error as PlaneError);
    }
  }

  onClose(error: Error | undefined): void {
    const why = error ? `: ${error.message}` : this.#greeted ? "" : ` before the server's hello${this.#hint}`;
    const cause = error ? { cause: error } : {};
    this.#lose(
      new PlaneError("connection_lost", `The connection to ${this.address} ended${why}.`, cause),
      error,
    );
  }

  /** A server gives no reason if it refuses a certificate. */
  get #hint(): string {
    return this.address.startsWith("tls:") ? "; it may require a client certificate that it trusts" : "";
  }

  onFrame(type: number, stream: number, payload: Uint8Array): void {
    if (type === frameType.message) {
      // A message for a call that has been cancelled meanwhile is no error.
      this.#calls.get(stream)?.message(payload);
    } else if (type === frameType.error && stream === 0) {
      this.giveUp(decodeError(payload));
    } else if (!this.#greeted) {
      this.#greet(type, payload);
    } else if (type === frameType.end) {
      this.#calls.get(stream)?.end();
    } else if (type === frameType.error) {
      this.#calls.get(stream)?.fail(decodeError(payload));
    } else if (type === frameType.goodbye) {
      this.#leave(new PlaneError("draining", `${this.address} has shut down.`));
    } else if (type !== frameType.ping) {
      throw new PlaneError("invalid_request", `The server sent a frame of the unexpected type ${type}.`);
    }
  }

  #greet(type: number, payload: Uint8Array): void {
    if (type !== frameType.hello)
      throw new PlaneError("invalid_request", "The server did not begin with hello.");
    const { maxMessageBytes, pingMs } = decodeHello(payload);
    this.#peerMaxBytes = maxMessageBytes;
    this.#heartbeat.start(pingMs);
    this.#greeted = true;
    this.#parser.limit = Math.max(this.#maxMessageBytes, maxHelloBytes);
    this.#ready.resolve();
  }

  /** Ends the connection: the server broke the protocol, says that this side did, or timed out. */
  giveUp(error: PlaneError): void {
    this.#ready.reject(error);
    this.#lose(new PlaneError("connection_lost", error.message, { cause: error }), error);
    this.#pipe.destroy();
  }

  /** Ends the connection in order. */
  #leave(why: PlaneError): void {
    this.#lose(why, undefined);
    this.writer.flush();
    this.#pipe.end();
  }

  /** Fails all calls, once. */
  #lose(error: PlaneError, reason: Error | undefined): void {
    if (this.#lost) return;
    this.#lost = error;
    this.#parser.stop();
    this.#heartbeat.stop();
    this.#ready.reject(error);
    this.#closed.resolve(reason);
    for (const call of [...this.#calls.values()]) call.refuse(error);
  }

  /** Numbers wrap around after 2^32 calls; those of running calls are skipped. */
  #nextStream(): number {
    do this.#lastStream = (this.#lastStream % 0xffffffff) + 1;
    while (this.#calls.has(this.#lastStream));
    return this.#lastStream;
  }
}

/** The longest timeout of a timer: 25 days. */
const maxDeadlineMs = 0x7fffffff;
