import { ByteQueue } from "./byte-queue.ts";
import { COMMAND, GREETING_BYTES, LONG, MORE } from "./framing.ts";

export interface FrameHandlers {
  /** The peer has sent READY: messages can be sent. @param type its socket type, in capitals */
  onReady(type: string): void;
  /** A message's frames, as views of the received bytes. */
  onMessage(frames: Buffer[]): void;
  /** A command other than READY and ERROR. */
  onCommand(name: string, data: Buffer): void;
}

/** Parses the peer's side of a ZMTP connection, however its bytes are split. */
export class FrameReader {
  readonly #handlers: FrameHandlers;
  readonly #mostBytes: number;
  readonly #bytes = new ByteQueue();
  #state: "greeting" | "ready" | "traffic" = "greeting";
  #frames: Buffer[] = [];
  /** The size of the current message's frames so far. */
  #messageBytes = 0;

  /** @param mostBytes a longer message or command is an error and is not buffered */
  constructor(mostBytes: number, handlers: FrameHandlers) {
    this.#mostBytes = mostBytes;
    this.#handlers = handlers;
  }

  /** @throws Error if it is not unencrypted ZMTP 3; the reader is then unusable */
  push(bytes: Buffer): void {
    this.#bytes.push(bytes);
    if (this.#state === "greeting" && !this.#readGreeting()) return;
    while (this.#readFrame());
  }

  #readGreeting(): boolean {
    if (this.#bytes.length < GREETING_BYTES) {
      if (this.#bytes.length > 0 && this.#bytes.at(0) !== 0xff)
        throw new Error("The peer does not speak ZeroMQ.");
      return false;
    }
    const bytes = this.#bytes.take(GREETING_BYTES);
    if (bytes[0] !== 0xff || bytes[9] !== 0x7f) throw new Error("The peer does not speak ZeroMQ.");
    if (bytes[10]! < 3) throw new Error("The peer speaks a version of ZeroMQ before 4.");
    if (bytes.toString("latin1", 12, 32).replace(/\0+$/, "") !== "NULL")
      throw new Error("The peer requires encryption, which is not supported.");
    this.#state = "ready";
    return true;
  }

  #readFrame(): boolean {
    const available = this.#bytes.length;
    if (available < 2) return false;
    const flags = this.#bytes.at(0);
    const isCommand = (flags & COMMAND) !== 0;
    // A command is one frame, and the first frame must be a command.
    if (flags > (MORE | LONG | COMMAND) || (isCommand ? flags & MORE : this.#state === "ready"))
      throw new Error("The peer sent an invalid ZeroMQ frame.");
    const headLength = flags & LONG ? 9 : 2;
    if (available < headLength) return false;
    const length = flags & LONG ? this.#longLength() : this.#bytes.at(1);
    if (this.#messageBytes + length > this.#mostBytes)
      throw new Error("The peer sent a message that is too large.");
    if (available < headLength + length) return false;
    this.#bytes.take(headLength);
    const body = this.#bytes.take(length);
    if (isCommand) this.#onCommand(body);
    else if (flags & MORE) {
      this.#frames.push(body);
      this.#messageBytes += FRAME_BYTES + length;
    } else {
      const frames = this.#frames;
      frames.push(body);
      this.#frames = [];
      this.#messageBytes = 0;
      this.#handlers.onMessage(frames);
    }
    return true;
  }

  #longLength(): number {
    let length = 0;
    for (let index = 1; index <= 8; index++) length = length * 256 + this.#bytes.at(index);
    return length;
  }

  #onCommand(body: Buffer): void {
    const nameEnd = 1 + (body[0] ?? 0);
    if (nameEnd === 1 || nameEnd > body.length) throw new Error("The peer sent a command without a name.");
    const name = body.toString("latin1", 1, nameEnd);
    const data = body.subarray(nameEnd);
    if (name === "ERROR") {
      const reason = data.toString("latin1", 1, 1 + (data[0] ?? 0));
      throw new Error(
        reason === "" ? "The peer refuses the connection." : `The peer refuses the connection: ${reason}`,
      );
    }
    if (this.#state === "traffic") this.#handlers.onCommand(name, data);
    else if (name !== "READY") throw new Error(`The peer sent ${name} instead of READY.`);
    else {
      this.#state = "traffic";
      this.#handlers.onReady(socketType(data));
    }
  }
}

/** A frame's memory overhead, so that a message of countless empty frames counts as too large. */
const FRAME_BYTES = 100;

/** The property Socket-Type of READY; empty if missing. */
function socketType(properties: Buffer): string {
  for (let at = 0; at < properties.length; ) {
    const nameEnd = at + 1 + properties[at]!;
    const valueAt = nameEnd + 4;
    if (valueAt > properties.length) break;
    const valueEnd = valueAt + properties.readUInt32BE(nameEnd);
    if (valueEnd > properties.length) break;
    // Names are case-insensitive.
    if (properties.toString("latin1", at + 1, nameEnd).toLowerCase() === "socket-type")
      return properties.toString("latin1", valueAt, valueEnd);
    at = valueEnd;
  }
  return "";
}
