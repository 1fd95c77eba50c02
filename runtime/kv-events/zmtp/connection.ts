import { connect, type Socket } from "node:net";
import { connectPlace } from "./endpoint.ts";
import { FrameReader } from "./frame-reader.ts";
import {
  errorCommand,
  greeting,
  message,
  pingCommand,
  pongCommand,
  readyCommand,
  type SocketType,
} from "./framing.ts";

export interface ZmtpHandlers {
  /** The handshake is complete: messages can be sent. */
  onReady(): void;
  onMessage(frames: Buffer[]): void;
  /** A command that the connection does not handle itself. */
  onCommand?(name: string, data: Buffer): void;
  /** Everything written has been sent, after `write` returned false. */
  onDrain?(): void;
  /** The connection has ended; called once, except after `close`. */
  onClose(reason: Error | undefined): void;
}

export interface ZmtpLimits {
  /** Longest message or command that the peer can send, in bytes. */
  mostBytes: number;
  /** Timeout for connecting and the handshake. */
  handshakeMs: number;
  /** Heartbeat interval; undefined: no heartbeats. */
  pingMs?: number;
}

/** Connects to a bound ZeroMQ socket at `tcp://HOST:PORT` or `ipc://PATH`. @throws RangeError for another endpoint */
export function connectZmtp(endpoint: string, type: SocketType, handlers: ZmtpHandlers): ZmtpConnection {
  return new ZmtpConnection(connect(connectPlace(endpoint)), type, handlers, CLIENT_LIMITS);
}

/** Far longer than any batch of KV events. */
const CLIENT_LIMITS: ZmtpLimits = { mostBytes: 512 * 1024 * 1024, handshakeMs: 5_000, pingMs: 10_000 };

/** Most unanswered pings. */
const SILENT_PINGS = 3;

/** Compatible socket types (RFC 28). */
const FITTING: Record<SocketType, readonly string[]> = {
  PUB: ["SUB", "XSUB"],
  SUB: ["PUB", "XPUB"],
  ROUTER: ["REQ", "DEALER", "ROUTER"],
  DEALER: ["REP", "DEALER", "ROUTER"],
};

/** One end of a connection between two ZeroMQ sockets. */
export class ZmtpConnection {
  readonly #socket: Socket;
  readonly #type: SocketType;
  readonly #handlers: ZmtpHandlers;
  readonly #handshake: ReturnType<typeof setTimeout>;
  readonly #pings: ReturnType<typeof setInterval> | undefined;
  /** Pings since the last data. */
  #silentPings = 0;
  /** Ends the connection if nothing arrives within the TTL of the peer's last ping. */
  #lifetime: ReturnType<typeof setTimeout> | undefined;
  #isReady = false;
  #isClosed = false;
  #reason: Error | undefined;

  constructor(socket: Socket, type: SocketType, handlers: ZmtpHandlers, limits: ZmtpLimits) {
    this.#socket = socket;
    this.#type = type;
    this.#handlers = handlers;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    const reader = new FrameReader(limits.mostBytes, {
      onReady: (theirs) => this.#onReady(theirs),
      onMessage: (frames) => {
        if (!this.#isClosed) handlers.onMessage(frames);
      },
      onCommand: (name, data) => this.#onCommand(name, data),
    });
    socket.on("data", (bytes) => this.#onData(reader, bytes));
    socket.on("drain", () => handlers.onDrain?.());
    // ZeroMQ sockets never half-close.
    socket.on("end", () => socket.destroy());
    socket.on("error", (error) => {
      this.#reason ??= error;
    });
    socket.on("close", () => this.#onClose());
    this.#handshake = setTimeout(
      () => this.#fail(new Error("The peer does not answer.")),
      limits.handshakeMs,
    );
    if (limits.pingMs !== undefined) {
      this.#pings = setInterval(() => this.#ping(), limits.pingMs);
      this.#pings.unref?.();
    }
    socket.write(Buffer.concat([greeting(), readyCommand(type)]));
  }

  /** Whether the peer is not reading what has been written, for now or for good. */
  get isFull(): boolean {
    return this.#socket.writableNeedDrain || this.#socket.destroyed;
  }

  send(frames: readonly Uint8Array[]): void {
    this.#socket.write(message(frames));
  }

  /** Sends bytes that are already framed, which must not change afterwards. */
  sendRaw(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** Gathers everything that `send` sends into one write. */
  gather(send: () => void): void {
    this.#socket.cork();
    send();
    this.#socket.uncork();
  }

  /** Stops reading, which makes the peer wait. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** No callback runs afterwards. */
  close(): void {
    this.#isClosed = true;
    this.#endTimers();
    this.#socket.destroy();
  }

  #onData(reader: FrameReader, bytes: Buffer): void {
    this.#silentPings = 0;
    clearTimeout(this.#lifetime);
    try {
      reader.push(bytes);
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #onReady(theirs: string): void {
    if (!FITTING[this.#type].includes(theirs)) {
      this.#socket.write(
        errorCommand(
          `A ${this.#type} socket cannot talk to ${theirs ? `a ${theirs} socket` : "a socket without a type"}.`,
        ),
      );
      throw new Error(`The peer is a ${theirs || "typeless"} socket, which cannot talk to ${this.#type}.`);
    }
    clearTimeout(this.#handshake);
    this.#isReady = true;
    this.#handlers.onReady();
  }

  #onCommand(name: string, data: Buffer): void {
    if (this.#isClosed) return;
    if (name !== "PING") this.#handlers.onCommand?.(name, data);
    else if (data.length >= 2) {
      const tenths = data.readUInt16BE(0);
      clearTimeout(this.#lifetime);
      if (tenths > 0) {
        this.#lifetime = setTimeout(() => this.#onSilence(), tenths * 100);
        this.#lifetime.unref?.();
      }
      // A peer that does not read needs no answer: unread data counts as a sign of life.
      if (!this.isFull) this.#socket.write(pongCommand(data.subarray(2)));
    }
  }

  #ping(): void {
    if (!this.#isReady || this.#socket.isPaused()) return;
    if (++this.#silentPings > SILENT_PINGS) this.#onSilence();
    else this.#socket.write(pingCommand());
  }

  #onSilence(): void {
    if (!this.#socket.isPaused()) this.#fail(new Error("The peer has been silent for too long."));
  }

  #fail(reason: Error): void {
    this.#reason ??= reason;
    this.#socket.destroy();
  }

  #endTimers(): void {
    clearTimeout(this.#handshake);
    clearTimeout(this.#lifetime);
    clearInterval(this.#pings);
  }

  #onClose(): void {
    this.#endTimers();
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#handlers.onClose(this.#reason);
  }
}

/** The delay before TCP keep-alive probes. */
const KEEP_ALIVE_MS = 10_000;
