import { decodeCall } from "./call-frame.ts";
import { frameType } from "./frame.ts";
import { FrameParser } from "./frame-parser.ts";
import { FrameWriter } from "./frame-writer.ts";
import { decodeHello, encodeError, encodeHello, maxHelloBytes } from "./handshake.ts";
import { Heartbeat } from "./heartbeat.ts";
import type { Pipe } from "./pipe.ts";
import { IncomingCall, type IncomingCallHome } from "./server-call.ts";
import { type Handler, PlaneError } from "./types.ts";

/** What a connection needs from its server. */
export interface ConnectionHome {
  readonly handlers: ReadonlyMap<string, Handler>;
  readonly maxMessageBytes: number;
  readonly pingMs: number;
  readonly draining: boolean;
  onError(error: Error, endpoint?: string): void;
  callStarted(): void;
  callEnded(): void;
  closed(connection: ServerConnection): void;
}

/** The server's side of one client's connection. */
export class ServerConnection implements IncomingCallHome {
  readonly writer: FrameWriter;
  peerMaxBytes = 0;
  readonly #home: ConnectionHome;
  readonly #pipe: Pipe;
  readonly #parser: FrameParser;
  readonly #calls = new Map<number, IncomingCall>();
  /** Disconnects a peer that sends nothing. */
  readonly #greetTimeout: NodeJS.Timeout;
  readonly #heartbeat: Heartbeat;
  #greeted = false;
  #knowsGoodbye = false;

  constructor(home: ConnectionHome, pipe: Pipe) {
    this.#home = home;
    this.#pipe = pipe;
    this.writer = new FrameWriter(pipe);
    this.#parser = new FrameParser(this, maxHelloBytes);
    this.#greetTimeout = setTimeout(() => this.#reject(silentPeer()), greetTimeoutMs).unref();
    this.#heartbeat = new Heartbeat(
      home.pingMs,
      () => this.writer.frame(frameType.ping, 0),
      (ms) =>
        this.destroy(new PlaneError("connection_lost", `The client has been silent for ${ms / 1000} s.`)),
    );
    pipe.start(this);
  }

  forget(stream: number): void {
    this.#calls.delete(stream);
    this.#home.callEnded();
  }

  /** Whether no call runs. */
  get isIdle(): boolean {
    return this.#calls.size === 0;
  }

  /** Says goodbye while no call runs, so that the client knows that calls on their way were not begun. */
  leave(): void {
    if (this.#knowsGoodbye) this.writer.frame(frameType.goodbye, 0);
    this.#end();
  }

  /** Closes once everything is sent. */
  #end(): void {
    this.#heartbeat.stop();
    this.#parser.stop();
    this.writer.flush();
    this.#pipe.end();
  }

  /** Closes at once; the signals of running calls abort with `reason`. */
  destroy(reason: PlaneError): void {
    this.#heartbeat.stop();
    this.#parser.stop();
    this.#pipe.destroy();
    this.#abortCalls(reason);
  }

  onData(chunk: Uint8Array): void {
    this.#heartbeat.onReceived();
    try {
      this.#parser.push(chunk);
    } catch (error) {
      this.#reject(error as PlaneError);
    }
  }

  onClose(error: Error | undefined): void {
    clearTimeout(this.#greetTimeout);
    this.#heartbeat.stop();
    this.#parser.stop();
    this.#abortCalls(new PlaneError("connection_lost", "The client's connection ended.", { cause: error }));
    this.#home.closed(this);
  }

  onFrame(type: number, stream: number, payload: Uint8Array): void {
    if (!this.#greeted) {
      this.#greet(type, payload);
    } else if (type === frameType.call) {
      this.#call(stream, payload);
    } else if (type === frameType.cancel) {
      // A cancel can cross with the end of its call; that is no error.
      this.#calls.get(stream)?.abort(new PlaneError("cancelled", "The client cancelled the call."));
    } else if (type === frameType.credit && payload.length === 4) {
      this.#calls.get(stream)?.credit(payload);
    } else if (type !== frameType.ping) {
      throw new PlaneError("invalid_request", `The client sent a frame of the unexpected type ${type}.`);
    }
  }

  #greet(type: number, payload: Uint8Array): void {
    if (type !== frameType.hello)
      throw new PlaneError("invalid_request", "The client did not begin with hello.");
    const { maxMessageBytes, pingMs, knowsGoodbye = false } = decodeHello(payload);
    this.peerMaxBytes = maxMessageBytes;
    this.#knowsGoodbye = knowsGoodbye;
    this.#greeted = true;
    this.#heartbeat.start(pingMs);
    clearTimeout(this.#greetTimeout);
    const home = this.#home;
    this.#parser.limit = home.maxMessageBytes + maxHelloBytes;
    const ownPingMs = this.#pipe.detectsSilence ? 0 : home.pingMs;
    const hello = encodeHello({ maxMessageBytes: home.maxMessageBytes, pingMs: ownPingMs });
    this.writer.frame(frameType.hello, 0, hello);
  }

  #call(stream: number, payload: Uint8Array): void {
    const { endpoint, windowBytes, deadlineMs, request } = decodeCall(payload);
    if (stream === 0 || this.#calls.has(stream)) {
      throw new PlaneError("invalid_request", `Stream ${stream} is already in use.`);
    }
    const call = new IncomingCall(this, stream, windowBytes, deadlineMs);
    this.#calls.set(stream, call);
    this.#home.callStarted();
    const handler = this.#home.handlers.get(endpoint);
    if (this.#home.draining) {
      call.fail(new PlaneError("draining", "The server is draining and accepts no new calls."));
    } else if (handler) {
      this.#run(handler, endpoint, request.slice(), call);
    } else {
      call.fail(new PlaneError("unknown_endpoint", `There is no endpoint "${endpoint}" here.`));
    }
  }

  #run(handler: Handler, endpoint: string, request: Uint8Array, call: IncomingCall): void {
    try {
      const running = handler(request, call);
      if (running instanceof Promise)
        running.catch((error: unknown) => this.#handlerFailed(error, endpoint, call));
    } catch (error) {
      this.#handlerFailed(error, endpoint, call);
    }
  }

  #handlerFailed(thrown: unknown, endpoint: string, call: IncomingCall): void {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    const expected = error instanceof PlaneError;
    // A handler that stops because of its aborted signal is no error.
    if (!expected && !call.ended) this.#home.onError(error, endpoint);
    call.fail(expected ? error : new PlaneError("internal", error.message, { cause: error }));
  }

  /** The peer broke the protocol: sends it an error and disconnects it. */
  #reject(error: PlaneError): void {
    this.#home.onError(error);
    this.writer.frame(frameType.error, 0, encodeError(error));
    this.#end();
    this.#abortCalls(error);
  }

  #abortCalls(reason: PlaneError): void {
    for (const call of [...this.#calls.values()]) call.abort(reason);
  }
}

const greetTimeoutMs = 10_000;

function silentPeer(): PlaneError {
  return new PlaneError("invalid_request", `The client sent nothing within ${greetTimeoutMs} ms.`);
}
