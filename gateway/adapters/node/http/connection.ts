import { connect as connectTcp, isIP, type Socket, type SocketConstructorOpts } from "node:net";
import { connect as connectTls, type SecureContextOptions } from "node:tls";
import {
  type HttpCall,
  HttpError,
  type HttpReceiver,
  type HttpRequest,
  type HttpTimeouts,
} from "../../../dispatch/http/types.ts";
import { AnswerReader } from "./answer-reader.ts";

/** Bytes that are read at once. */
const READ_BYTES = 16 * 1024;
/** Pieces into which the idle time-out is cut: it takes at most one of them longer than it says. */
const IDLE_STEPS = 4;

/** What becomes of a connection after an answer. */
export interface ConnectionOwner {
  /** It can take another request, for so many milliseconds. */
  onIdle(connection: Connection, forMs: number): void;
  onClosed(connection: Connection): void;
}

/**
 * One connection to a server, which carries one request after the other. Reads go into one buffer that is used again
 * and again, so that a piece of a stream costs neither an allocation nor a stream's bookkeeping.
 */
export class Connection {
  readonly origin: string;
  /** As the server is named in requests. */
  readonly host: string;
  readonly #owner: ConnectionOwner;
  readonly #socket: Socket;
  #buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  /** What was read last: most pieces of a stream are as long as the one before. */
  #piece = this.#buffer;
  /** Set while what was read last is still in use: the next read takes another buffer. */
  #isLent = false;
  #exchange: Exchange | undefined;
  #isConnected = false;

  /** @param tls certificates for `https:`, beside or in place of the system's */
  constructor(origin: string, owner: ConnectionOwner, tls?: SecureContextOptions) {
    const url = new URL(origin);
    this.origin = origin;
    this.host = url.host;
    this.#owner = owner;
    const onread = {
      buffer: () => this.#nextBuffer(),
      callback: (length: number) => this.#onRead(length),
    };
    this.#socket = open(url, onread, tls);
    const ready = url.protocol === "https:" ? "secureConnect" : "connect";
    this.#socket.once(ready, () => {
      this.#isConnected = true;
      this.#exchange?.onConnected();
    });
    this.#socket.on("error", (error: NodeJS.ErrnoException) => this.#onBroken(error));
    this.#socket.on("close", (hadError) => {
      if (!hadError && this.#isConnected) this.#exchange?.reader.onServerEnd();
      this.#onBroken(undefined);
      this.#owner.onClosed(this);
    });
  }

  /** Sends a request. The connection must be idle. */
  send(request: HttpRequest, receiver: HttpReceiver, timeouts: HttpTimeouts): HttpCall {
    const exchange = new Exchange(this, this.#socket, request, receiver, timeouts);
    this.#exchange = exchange;
    if (this.#isConnected) exchange.onConnected();
    else exchange.onConnecting();
    return exchange;
  }

  /** The exchange has ended well; with `forMs` 0 the connection is of no more use. */
  release(forMs: number): void {
    this.#exchange = undefined;
    if (forMs > 0 && !this.#socket.destroyed && !this.#socket.readableEnded) this.#owner.onIdle(this, forMs);
    else this.destroy();
  }

  destroy(): void {
    this.#exchange = undefined;
    this.#socket.destroy();
  }

  #nextBuffer(): Buffer {
    if (this.#isLent) {
      this.#isLent = false;
      this.#buffer = Buffer.allocUnsafeSlow(READ_BYTES);
      this.#piece = this.#buffer;
    }
    return this.#buffer;
  }

  #onRead(length: number): boolean {
    const exchange = this.#exchange;
    if (exchange === undefined) {
      // Bytes that nobody has asked for: what they belong to is not known.
      this.destroy();
      return true;
    }
    if (this.#piece.length !== length) this.#piece = this.#buffer.subarray(0, length);
    this.#isLent = exchange.onRead(this.#piece);
    return true;
  }

  #onBroken(error: NodeJS.ErrnoException | undefined): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    if (exchange === undefined) return;
    const reason = error === undefined ? "closed the connection" : `failed (${error.code ?? error.message})`;
    if (!this.#isConnected)
      exchange.fail(new HttpError("unsent", `The connection to the engine ${reason}.`, error));
    else exchange.fail(new HttpError("lost", `The engine ${reason} before its answer was complete.`, error));
  }
}

/** One request and its answer. */
class Exchange implements HttpCall {
  readonly reader: AnswerReader;
  readonly #connection: Connection;
  readonly #socket: Socket;
  readonly #request: HttpRequest;
  readonly #receiver: HttpReceiver;
  readonly #timeouts: HttpTimeouts;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isOver = false;
  #isPaused = false;
  #hasBody = false;
  /** Steps of the idle time-out that have passed since the last read. */
  #idleSteps = 0;

  constructor(
    connection: Connection,
    socket: Socket,
    request: HttpRequest,
    receiver: HttpReceiver,
    timeouts: HttpTimeouts,
  ) {
    this.#connection = connection;
    this.#socket = socket;
    this.#request = request;
    this.#receiver = receiver;
    this.#timeouts = timeouts;
    this.reader = new AnswerReader(request.method, receiver, {
      onDone: (keepAliveMs) => this.#finish(keepAliveMs),
      onError: (error) => this.#break(error),
    });
  }

  onConnecting(): void {
    const { connectMs } = this.#timeouts;
    this.#limit(connectMs, () => {
      this.#break(new HttpError("unsent", `The engine took no connection within ${connectMs} ms.`));
    });
  }

  onConnected(): void {
    const { firstByteMs } = this.#timeouts;
    this.#limit(firstByteMs, () => {
      this.#break(new HttpError("timeout", `The engine sent nothing within ${firstByteMs / 1000} s.`));
    });
    const { body } = this.#request;
    this.#socket.cork();
    this.#socket.write(headOf(this.#request, this.#connection.host), "latin1");
    if (body !== undefined && body.length > 0) this.#socket.write(body);
    this.#socket.uncork();
  }

  /** @returns whether the bytes are still in use */
  onRead(bytes: Buffer): boolean {
    this.#idleSteps = 0;
    const isLent = this.reader.push(bytes);
    if (!this.#hasBody && this.reader.hasBody && !this.#isOver) {
      this.#hasBody = true;
      this.#watchIdle();
    }
    return isLent;
  }

  cancel(): void {
    if (this.#isOver) return;
    this.#close();
    this.#connection.destroy();
  }

  pause(): void {
    if (this.#isOver || this.#isPaused) return;
    this.#isPaused = true;
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    if (!this.#isOver) this.#socket.resume();
  }

  /** The connection has broken. */
  fail(error: HttpError): void {
    if (this.#isOver) return;
    this.#close();
    this.#receiver.onError(error);
  }

  #finish(keepAliveMs: number): void {
    this.#close();
    this.#connection.release(keepAliveMs);
  }

  #break(error: HttpError): void {
    if (this.#isOver) return;
    this.#close();
    this.#connection.destroy();
    this.#receiver.onError(error);
  }

  #close(): void {
    this.#isOver = true;
    this.reader.close();
    clearTimeout(this.#timer);
    if (this.#isPaused) this.#socket.resume();
  }

  #limit(ms: number, onTimeout: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(onTimeout, ms);
  }

  #watchIdle(): void {
    const { idleMs } = this.#timeouts;
    this.#limit(Math.ceil(idleMs / IDLE_STEPS), () => {
      // While the client does not read, the server is not to blame.
      if (!this.#isPaused && ++this.#idleSteps > IDLE_STEPS)
        this.#break(new HttpError("timeout", `The engine sent nothing more for ${idleMs / 1000} s.`));
      else this.#watchIdle();
    });
  }
}

type OnRead = NonNullable<SocketConstructorOpts["onread"]>;

function open(url: URL, onread: OnRead, tls?: SecureContextOptions): Socket {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const isTls = url.protocol === "https:";
  const port = url.port === "" ? (isTls ? 443 : 80) : Number(url.port);
  const options = { host, port, noDelay: true, keepAlive: true, onread };
  if (!isTls) return connectTcp(options);
  const servername = isIP(host) === 0 ? host : "";
  return connectTls({ ...options, servername, ALPNProtocols: ["http/1.1"], ...tls });
}

function headOf({ method, path, headers, body }: HttpRequest, host: string): string {
  let text = `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\n`;
  for (const [name, value] of headers) text += `${name}: ${value}\r\n`;
  if (body !== undefined) text += `content-length: ${body.length}\r\n`;
  return `${text}\r\n`;
}
