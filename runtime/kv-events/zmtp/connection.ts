import { connect, type Socket } from "node:net";
import { FrameReader, greeting, message, pingCommand, readyCommand, type SocketType } from "./framing.ts";

/** Milliseconds between two questions for a sign of life, and how many may go without an answer. */
const PING_MS = 10_000;
const SILENT_PINGS = 3;
const CONNECT_MS = 5_000;

export interface ZmtpHandlers {
  /** The other side has greeted: messages may be sent. */
  onReady(): void;
  onMessage(frames: Buffer[]): void;
  /** The connection has ended; called once, unless it was closed here. */
  onClose(reason: Error | undefined): void;
}

/** One connection to a ZeroMQ socket that is bound: `tcp://HOST:PORT` or `ipc://PATH`. */
export class ZmtpConnection {
  readonly #socket: Socket;
  readonly #handlers: ZmtpHandlers;
  readonly #pings: ReturnType<typeof setInterval>;
  /** Pings since something came last. */
  #silentPings = 0;
  #isReady = false;
  #isClosed = false;
  #reason: Error | undefined;

  constructor(endpoint: string, type: SocketType, handlers: ZmtpHandlers) {
    this.#handlers = handlers;
    const socket = connect(addressOf(endpoint));
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.setTimeout(CONNECT_MS, () => this.#fail(new Error("It does not answer.")));
    const reader = new FrameReader({
      onReady: () => {
        this.#isReady = true;
        socket.setTimeout(0);
        handlers.onReady();
      },
      onMessage: (frames) => {
        if (!this.#isClosed) handlers.onMessage(frames);
      },
      reply: (bytes) => socket.write(bytes),
    });
    socket.on("connect", () => socket.write(Buffer.concat([greeting(), readyCommand(type)])));
    socket.on("data", (bytes) => {
      this.#silentPings = 0;
      try {
        reader.push(bytes);
      } catch (error) {
        this.#fail(error instanceof Error ? error : new Error(String(error)));
      }
    });
    socket.on("error", (error) => {
      this.#reason = error;
    });
    socket.on("close", () => this.#onClose());
    this.#pings = setInterval(() => this.#ping(), PING_MS);
    this.#pings.unref?.();
  }

  send(frames: readonly Uint8Array[]): void {
    this.#socket.write(message(frames));
  }

  /** Sends bytes that are framed already. */
  sendRaw(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** Holds the other side back. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** No callback comes after it. */
  close(): void {
    this.#isClosed = true;
    clearInterval(this.#pings);
    this.#socket.destroy();
  }

  #ping(): void {
    if (!this.#isReady || this.#socket.isPaused()) return;
    if (++this.#silentPings > SILENT_PINGS) this.#fail(new Error("It has been silent for too long."));
    else this.#socket.write(pingCommand());
  }

  #fail(reason: Error): void {
    this.#reason ??= reason;
    this.#socket.destroy();
  }

  #onClose(): void {
    clearInterval(this.#pings);
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#handlers.onClose(this.#reason);
  }
}

/** @throws RangeError where the endpoint is neither */
function addressOf(endpoint: string): { host: string; port: number } | { path: string } {
  const tcp = /^tcp:\/\/(\[[^\]]+\]|[^\s:/]+):(\d{1,5})$/.exec(endpoint);
  if (tcp !== null) return { host: tcp[1]!.replace(/^\[|\]$/g, ""), port: Number(tcp[2]) };
  const ipc = /^ipc:\/\/(.+)$/.exec(endpoint);
  if (ipc !== null) return { path: ipc[1]! };
  throw new RangeError(`${endpoint} is neither tcp://HOST:PORT nor ipc://PATH.`);
}
