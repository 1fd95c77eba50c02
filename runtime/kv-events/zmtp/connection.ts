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
  /** The other side has greeted: messages may be sent. */
  onReady(): void;
  onMessage(frames: Buffer[]): void;
  /** A command that is not the connection's own business. */
  onCommand?(name: string, data: Buffer): void;
  /** After `write` was false: what was written has left. */
  onDrain?(): void;
  /** The connection has ended; called once, unless it was closed here. */
  onClose(reason: Error | undefined): void;
}

export interface ZmtpLimits {
  /** Bytes of a message, or command, that the other side may send. */
  mostBytes: number;
  /** How long it may take to connect and greet. */
  handshakeMs: number;
  /** How often it is asked for a sign of life; undefined: never. */
  pingMs?: number;
}

/** Connects to a ZeroMQ socket that is bound: `tcp://HOST:PORT` or `ipc://PATH`. @throws RangeError where it is neither */
export function connectZmtp(endpoint: string, type: SocketType, handlers: ZmtpHandlers): ZmtpConnection {
  return new ZmtpConnection(connect(connectPlace(endpoint)), type, handlers, CLIENT_LIMITS);
}

/** No batch of KV events comes near such a length. */
const CLIENT_LIMITS: ZmtpLimits = { mostBytes: 512 * 1024 * 1024, handshakeMs: 5_000, pingMs: 10_000 };

/** Pings that may go without an answer. */
const SILENT_PINGS = 3;

/** Which types may speak with which (RFC 28). */
const FITTING: Record<SocketType, readonly string[]> = {
  PUB: ["SUB", "XSUB"],
  SUB: ["PUB", "XPUB"],
  ROUTER: ["REQ", "DEALER", "ROUTER"],
  DEALER: ["REP", "DEALER", "ROUTER"],
};

/** One connection between two ZeroMQ sockets, at either end. */
export class ZmtpConnection {
  readonly #socket: Socket;
  readonly #type: SocketType;
  readonly #handlers: ZmtpHandlers;
  readonly #handshake: ReturnType<typeof setTimeout>;
  readonly #pings: ReturnType<typeof setInterval> | undefined;
  /** Pings since something came last. */
  #silentPings = 0;
  /** Ends the connection where nothing comes in the time that the other side's last ping named. */
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
    // No ZeroMQ socket closes one direction alone.
    socket.on("end", () => socket.destroy());
    socket.on("error", (error) => {
      this.#reason ??= error;
    });
    socket.on("close", () => this.#onClose());
    this.#handshake = setTimeout(() => this.#fail(new Error("It does not answer.")), limits.handshakeMs);
    if (limits.pingMs !== undefined) {
      this.#pings = setInterval(() => this.#ping(), limits.pingMs);
      this.#pings.unref?.();
    }
    socket.write(Buffer.concat([greeting(), readyCommand(type)]));
  }

  /** Whether the other side does not take, for now or for ever, what has been written. */
  get isFull(): boolean {
    return this.#socket.writableNeedDrain || this.#socket.destroyed;
  }

  send(frames: readonly Uint8Array[]): void {
    this.#socket.write(message(frames));
  }

  /** Sends bytes that are framed already, which must not change any more. */
  sendRaw(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** What is sent meanwhile leaves in one piece. */
  gather(send: () => void): void {
    this.#socket.cork();
    send();
    this.#socket.uncork();
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
        errorCommand(`A ${this.#type} socket does not speak with ${theirs || "nameless ones"}.`),
      );
      throw new Error(`It is a ${theirs || "nameless"} socket, which does not speak with ${this.#type}.`);
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
      // Who does not read needs no answer: it has what is on the way to it for a sign of life.
      if (!this.isFull) this.#socket.write(pongCommand(data.subarray(2)));
    }
  }

  #ping(): void {
    if (!this.#isReady || this.#socket.isPaused()) return;
    if (++this.#silentPings > SILENT_PINGS) this.#onSilence();
    else this.#socket.write(pingCommand());
  }

  #onSilence(): void {
    if (!this.#socket.isPaused()) this.#fail(new Error("It has been silent for too long."));
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

/** After how much silence TCP asks whether the other machine is still there. */
const KEEP_ALIVE_MS = 10_000;
