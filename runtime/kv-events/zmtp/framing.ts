import { ByteQueue } from "./byte-queue.ts";

/**
 * ZMTP 3.1 (ZeroMQ RFC 37), as far as a client without encryption needs it: the greeting, the NULL mechanism's READY,
 * messages of frames, and the heartbeat.
 */

export type SocketType = "SUB" | "DEALER";

const GREETING_BYTES = 64;
const MORE = 1;
const LONG = 2;
const COMMAND = 4;
/** A larger frame than this is taken for an error: no batch of KV events comes near. */
const LONGEST_FRAME = 512 * 1024 * 1024;

/** What opens a connection: signature, version, mechanism. */
export function greeting(): Buffer {
  const bytes = Buffer.alloc(GREETING_BYTES);
  bytes[0] = 0xff;
  bytes[9] = 0x7f;
  bytes[10] = 3;
  bytes[11] = 1;
  bytes.write("NULL", 12, "latin1");
  return bytes;
}

/** The command that tells the other side what this one is. */
export function readyCommand(type: SocketType): Buffer {
  const property = (name: string, value: string) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(value.length);
    return [Buffer.from([name.length]), Buffer.from(name, "latin1"), length, Buffer.from(value, "latin1")];
  };
  const properties = [...property("Socket-Type", type), ...property("Identity", "")];
  return command("READY", Buffer.concat(properties));
}

/** Subscribes to all topics that begin so; as a message, which every release understands. */
export const subscription = (topic: string) =>
  frame(Buffer.concat([Buffer.from([1]), Buffer.from(topic)]), 0);

/** Asks for a sign of life. */
export const pingCommand = () => command("PING", Buffer.from([0, 0]));

export function message(frames: readonly Uint8Array[]): Buffer {
  return Buffer.concat(frames.map((body, index) => frame(body, index < frames.length - 1 ? MORE : 0)));
}

function command(name: string, data: Uint8Array): Buffer {
  return frame(Buffer.concat([Buffer.from([name.length]), Buffer.from(name, "latin1"), data]), COMMAND);
}

function frame(body: Uint8Array, flags: number): Buffer {
  if (body.length <= 255) return Buffer.concat([Buffer.from([flags, body.length]), body]);
  const head = Buffer.alloc(9);
  head[0] = flags | LONG;
  head.writeBigUInt64BE(BigInt(body.length), 1);
  return Buffer.concat([head, body]);
}

export interface FrameHandlers {
  /** The other side has said what it is: messages may be sent. */
  onReady(): void;
  onMessage(frames: Buffer[]): void;
  /** Something is to be sent back. */
  reply(bytes: Buffer): void;
}

/** Reads what the other side sends. */
export class FrameReader {
  readonly #handlers: FrameHandlers;
  readonly #bytes = new ByteQueue();
  #hasGreeting = false;
  #frames: Buffer[] = [];

  constructor(handlers: FrameHandlers) {
    this.#handlers = handlers;
  }

  /** @throws Error where it is no ZMTP, or not one without encryption */
  push(bytes: Buffer): void {
    this.#bytes.push(bytes);
    if (!this.#hasGreeting && !this.#readGreeting()) return;
    while (this.#readFrame());
  }

  #readGreeting(): boolean {
    if (this.#bytes.length < GREETING_BYTES) {
      if (this.#bytes.length > 0 && this.#bytes.at(0) !== 0xff) throw new Error("It does not speak ZeroMQ.");
      return false;
    }
    const bytes = this.#bytes.take(GREETING_BYTES);
    if (bytes[0] !== 0xff || bytes[9] !== 0x7f) throw new Error("It does not speak ZeroMQ.");
    if (bytes[10]! < 3) throw new Error("It speaks a version of ZeroMQ before 4.");
    if (bytes.toString("latin1", 12, 32).replace(/\0+$/, "") !== "NULL")
      throw new Error("It wants an encrypted connection, which is not known here.");
    this.#hasGreeting = true;
    return true;
  }

  #readFrame(): boolean {
    const available = this.#bytes.length;
    if (available < 2) return false;
    const flags = this.#bytes.at(0);
    const headLength = flags & LONG ? 9 : 2;
    if (available < headLength) return false;
    const length = flags & LONG ? this.#longLength() : this.#bytes.at(1);
    if (available < headLength + length) return false;
    this.#bytes.take(headLength);
    const body = this.#bytes.take(length);
    if (flags & COMMAND) this.#onCommand(body);
    else {
      this.#frames.push(body);
      if (flags & MORE) return true;
      const frames = this.#frames;
      this.#frames = [];
      this.#handlers.onMessage(frames);
    }
    return true;
  }

  #longLength(): number {
    let length = 0;
    for (let index = 1; index <= 8; index++) length = length * 256 + this.#bytes.at(index);
    if (length > LONGEST_FRAME) throw new Error("It sends a frame that is too large.");
    return length;
  }

  #onCommand(body: Buffer): void {
    const nameLength = body[0] ?? 0;
    const name = body.toString("latin1", 1, 1 + nameLength);
    if (name === "READY") this.#handlers.onReady();
    // Its answer carries the context of the question, which stands behind two bytes of time.
    else if (name === "PING") this.#handlers.reply(command("PONG", body.subarray(1 + nameLength + 2)));
    else if (name === "ERROR") throw new Error("It refuses the connection.");
  }
}
