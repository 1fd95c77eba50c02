import { connect as connectTcp, isIP, type Socket, type SocketConstructorOpts } from "node:net";
import { connect as connectTls, type SecureContextOptions } from "node:tls";
import {
  type HttpCall,
  HttpError,
  type HttpReceiver,
  type HttpRequest,
  type HttpTimeouts,
} from "../../../wire/types.ts";
import { Exchange, type ExchangeConnection, type Resend } from "./exchange.ts";

/** Bytes per read. */
const READ_BYTES = 16 * 1024;

/** Receives a connection back after each answer. */
export interface ConnectionOwner {
  /** How long a connection to a host name is reused, in milliseconds: the name may resolve differently later. */
  readonly nameTtlMs: number;
  /** The connection can take another request within `forMs` milliseconds. */
  onIdle(connection: Connection, forMs: number): void;
  onClosed(connection: Connection): void;
}

/**
 * One connection to a server, which carries one request at a time. All reads share one buffer, so that a piece of a
 * stream costs neither an allocation nor a Node stream's bookkeeping.
 */
export class Connection implements ExchangeConnection {
  readonly origin: string;
  /** The `host` header. */
  readonly host: string;
  readonly #owner: ConnectionOwner;
  /** When it stops being reused, on the clock of `performance.now()`. */
  readonly #staleAt: number;
  readonly #socket: Socket;
  #buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  /** The view of the last read, reused if the next one has the same length, as most pieces of a stream do. */
  #piece = this.#buffer;
  /** Set while the last read is still in use: the next read takes a new buffer. */
  #isLent = false;
  #exchange: Exchange | undefined;
  #isConnected = false;

  /** @param tls certificates for `https:`, which add to or replace the system's */
  constructor(origin: string, owner: ConnectionOwner, tls?: SecureContextOptions) {
    const url = new URL(origin);
    this.origin = origin;
    this.host = url.host;
    this.#owner = owner;
    this.#staleAt = isIP(hostOf(url)) === 0 ? performance.now() + owner.nameTtlMs : Number.POSITIVE_INFINITY;
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

  /** Whether it may take another request. */
  get isFresh(): boolean {
    return performance.now() < this.#staleAt;
  }

  /** Sends a request. The connection must be idle. @param resend given if the connection was used before */
  send(request: HttpRequest, receiver: HttpReceiver, timeouts: HttpTimeouts, resend?: Resend): HttpCall {
    const exchange = new Exchange(this, this.#socket, request, receiver, timeouts, resend);
    this.#exchange = exchange;
    if (this.#isConnected) exchange.onConnected();
    else exchange.onConnecting();
    return exchange;
  }

  /** The exchange has ended normally; with `forMs` 0 the connection cannot be reused. */
  release(forMs: number): void {
    this.#exchange = undefined;
    if (forMs > 0 && this.isFresh && !this.#socket.destroyed && !this.#socket.readableEnded)
      this.#owner.onIdle(this, forMs);
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
      // Unsolicited bytes: the connection is out of sync.
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

type OnRead = NonNullable<SocketConstructorOpts["onread"]>;

function open(url: URL, onread: OnRead, tls?: SecureContextOptions): Socket {
  const host = hostOf(url);
  const isTls = url.protocol === "https:";
  const port = url.port === "" ? (isTls ? 443 : 80) : Number(url.port);
  const options = { host, port, noDelay: true, keepAlive: true, onread };
  if (!isTls) return connectTcp(options);
  const servername = isIP(host) === 0 ? host : "";
  return connectTls({ ...options, servername, ALPNProtocols: ["http/1.1"], ...tls });
}

const hostOf = ({ hostname }: URL) => hostname.replace(/^\[|\]$/g, "");
