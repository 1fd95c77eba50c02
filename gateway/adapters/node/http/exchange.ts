import type { Socket } from "node:net";
import {
  type HttpBody,
  type HttpCall,
  HttpError,
  type HttpReceiver,
  type HttpRequest,
  type HttpTimeouts,
} from "../../../wire/types.ts";
import { AnswerReader } from "./answer-reader.ts";

/** The idle timeout is checked in this many steps, so it fires at most one step late. */
const IDLE_STEPS = 4;

/** What an exchange needs from its connection. */
export interface ExchangeConnection {
  /** The `host` header. */
  readonly host: string;
  /** The exchange has ended normally; with `forMs` 0 the connection cannot be reused. */
  release(forMs: number): void;
  destroy(): void;
}

/**
 * Sends the request again over a new connection. If a kept-alive connection closes before the first byte of an
 * answer, the server most likely closed it for being idle.
 */
export type Resend = () => HttpCall;

/** One request and its answer. */
export class Exchange implements HttpCall {
  readonly reader: AnswerReader;
  readonly #connection: ExchangeConnection;
  readonly #socket: Socket;
  readonly #request: HttpRequest;
  readonly #receiver: HttpReceiver;
  readonly #timeouts: HttpTimeouts;
  readonly #resend: Resend | undefined;
  /** The same request over a new connection. */
  #successor: HttpCall | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isOver = false;
  #isPaused = false;
  #hasBody = false;
  /** Steps of the idle timeout that have passed since the last read. */
  #idleSteps = 0;

  constructor(
    connection: ExchangeConnection,
    socket: Socket,
    request: HttpRequest,
    receiver: HttpReceiver,
    timeouts: HttpTimeouts,
    resend?: Resend,
  ) {
    this.#connection = connection;
    this.#socket = socket;
    this.#request = request;
    this.#receiver = receiver;
    this.#timeouts = timeouts;
    this.#resend = resend;
    this.reader = new AnswerReader(request.method, receiver, {
      onDone: (keepAliveMs) => this.#finish(keepAliveMs),
      onError: (error) => this.#break(error),
    });
  }

  onConnecting(): void {
    const { connectMs } = this.#timeouts;
    this.#limit(connectMs, () => {
      this.#break(new HttpError("unsent", `The engine did not accept a connection within ${connectMs} ms.`));
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
    for (const piece of piecesOf(body)) if (piece.length > 0) this.#socket.write(piece);
    this.#socket.uncork();
  }

  /** @returns whether the bytes are still in use afterwards */
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
    this.#successor?.cancel();
    if (this.#isOver) return;
    this.#close();
    this.#connection.destroy();
  }

  pause(): void {
    this.#successor?.pause();
    if (this.#isOver || this.#isPaused) return;
    this.#isPaused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#successor?.resume();
    if (!this.#isPaused) return;
    this.#isPaused = false;
    if (!this.#isOver) this.#socket.resume();
  }

  /** The connection has broken. */
  fail(error: HttpError): void {
    if (this.#isOver) return;
    this.#close();
    this.#fail(error);
  }

  #finish(keepAliveMs: number): void {
    this.#close();
    this.#connection.release(keepAliveMs);
  }

  #break(error: HttpError): void {
    if (this.#isOver) return;
    this.#close();
    this.#connection.destroy();
    this.#fail(error);
  }

  #fail(error: HttpError): void {
    if (error.code === "lost" && !this.reader.hasBegun && this.#resend !== undefined)
      this.#successor = this.#resend();
    else this.#receiver.onError(error);
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
      // While the client is not reading, silence is not the server's fault.
      if (!this.#isPaused && ++this.#idleSteps > IDLE_STEPS)
        this.#break(new HttpError("timeout", `The engine sent nothing more for ${idleMs / 1000} s.`));
      else this.#watchIdle();
    });
  }
}

function piecesOf(body: HttpBody | undefined): readonly Uint8Array[] {
  if (body === undefined) return [];
  return body instanceof Uint8Array ? [body] : body;
}

function headOf({ method, path, headers, body }: HttpRequest, host: string): string {
  let text = `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\n`;
  for (const [name, value] of headers) text += `${name}: ${value}\r\n`;
  const length = piecesOf(body).reduce((sum, piece) => sum + piece.length, 0);
  if (body !== undefined) text += `content-length: ${length}\r\n`;
  return `${text}\r\n`;
}
