/**
 * Frames of our own on a stream: type (1 byte), id (4), length of the head (4), length of the body (4), head, body; all
 * little-endian. A head is small and parsed; a body is memory content and goes straight into its destination.
 */
import { TransferError } from "../errors.ts";

export const FrameType = { hello: 1, fetch: 2, store: 3, notify: 4, done: 16, failed: 17 } as const;

export interface Frame {
  readonly type: number;
  readonly id: number;
  readonly head: Buffer;
  readonly bodyLength: number;
}

/** Most bytes of one body: what a transfer moves in one step. */
export const MAX_BODY = 4 * 2 ** 20;
const MAX_HEAD = 2 ** 18;
const HEADER = 13;

export function encodeFrame(type: number, id: number, head: Uint8Array, bodyLength = 0): Buffer {
  const frame = Buffer.allocUnsafe(HEADER + head.length);
  frame.writeUInt8(type, 0);
  frame.writeUInt32LE(id, 1);
  frame.writeUInt32LE(head.length, 5);
  frame.writeUInt32LE(bodyLength, 9);
  frame.set(head, HEADER);
  return frame;
}

/** What a reader does with frames. */
export interface FrameHandler {
  /** @returns where the body goes, as many bytes as it has; undefined to discard it */
  onHead(frame: Frame): readonly Buffer[] | undefined;
  /** After the last byte of the body, also if there is none. */
  onEnd(frame: Frame): void;
}

/** Cuts a stream of any chunks into frames. */
export class FrameReader {
  readonly #handler: FrameHandler;
  readonly #header = Buffer.allocUnsafe(HEADER);
  #headerLength = 0;
  #head: Buffer | undefined;
  #headLength = 0;
  #frame: Frame | undefined;
  #targets: readonly Buffer[] | undefined;
  #target = 0;
  #inTarget = 0;
  #bodyLeft = 0;

  constructor(handler: FrameHandler) {
    this.#handler = handler;
  }

  /** @throws TransferError `invalid` for what is no frame */
  push(chunk: Buffer): void {
    let offset = 0;
    while (offset < chunk.length) {
      if (this.#frame !== undefined) offset += this.#takeBody(chunk, offset);
      else if (this.#head !== undefined) offset += this.#takeHead(chunk, offset);
      else offset += this.#takeHeader(chunk, offset);
    }
  }

  #takeHeader(chunk: Buffer, offset: number): number {
    const taken = chunk.copy(this.#header, this.#headerLength, offset);
    this.#headerLength += taken;
    if (this.#headerLength < HEADER) return taken;
    this.#headerLength = 0;
    const headLength = this.#header.readUInt32LE(5);
    if (headLength > MAX_HEAD || this.#header.readUInt32LE(9) > MAX_BODY)
      throw new TransferError("invalid", "The peer sent a frame that is too long.");
    this.#head = Buffer.allocUnsafe(headLength);
    this.#headLength = 0;
    if (headLength === 0) this.#beginBody(this.#head);
    return taken;
  }

  #takeHead(chunk: Buffer, offset: number): number {
    const head = this.#head!;
    const taken = chunk.copy(head, this.#headLength, offset);
    this.#headLength += taken;
    if (this.#headLength === head.length) this.#beginBody(head);
    return taken;
  }

  #beginBody(head: Buffer): void {
    const frame = {
      type: this.#header.readUInt8(0),
      id: this.#header.readUInt32LE(1),
      head,
      bodyLength: this.#header.readUInt32LE(9),
    };
    this.#head = undefined;
    this.#targets = this.#handler.onHead(frame);
    [this.#target, this.#inTarget, this.#bodyLeft] = [0, 0, frame.bodyLength];
    this.#frame = frame;
    if (frame.bodyLength === 0) this.#end(frame);
  }

  #takeBody(chunk: Buffer, offset: number): number {
    const length = Math.min(this.#bodyLeft, chunk.length - offset);
    if (this.#targets !== undefined) this.#copy(chunk, offset, offset + length);
    this.#bodyLeft -= length;
    if (this.#bodyLeft === 0) this.#end(this.#frame!);
    return length;
  }

  #copy(chunk: Buffer, offset: number, end: number): void {
    while (offset < end) {
      const target = this.#targets![this.#target];
      // The registered buffer was detached meanwhile: the rest is discarded.
      if (target === undefined || target.length === 0) return;
      const copied = chunk.copy(target, this.#inTarget, offset, end);
      offset += copied;
      this.#inTarget += copied;
      if (this.#inTarget === target.length) [this.#target, this.#inTarget] = [this.#target + 1, 0];
    }
  }

  #end(frame: Frame): void {
    this.#frame = undefined;
    this.#targets = undefined;
    this.#handler.onEnd(frame);
  }
}
