/**
 * The messages of vLLM's ZeroMQ publisher (`ZmqEventPublisher`, vLLM 0.32):
 *
 * - live, from a PUB socket: topic, sequence number, payload;
 * - a replay request, to a ROUTER socket: an empty frame, the first sequence number;
 * - its answer, a message per batch: an empty frame, topic, sequence number, payload; at the end one with the sequence
 *   number −1 and an empty payload. Older releases, and SGLang, omit the topic.
 *
 * Sequence numbers are 64-bit integers, big-endian.
 */

/** A payload and its sequence number. */
export interface SequencedPayload {
  sequence: number;
  payload: Uint8Array;
}

/** Sequence number −1: the end of a replay. */
export const endMarker: Uint8Array = new Uint8Array(8).fill(0xff);

export const emptyFrame: Uint8Array = new Uint8Array(0);

export function encodeSequence(sequence: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(sequence));
  return bytes;
}

/** Undefined if the frame is not a sequence number, or beyond 2^53. */
export function decodeSequence(frame: Uint8Array | undefined): number | undefined {
  if (frame?.length !== 8) return undefined;
  const sequence = Number(new DataView(frame.buffer, frame.byteOffset).getBigUint64(0));
  return Number.isSafeInteger(sequence) ? sequence : undefined;
}

/** Reads a live message; undefined if it is not one. */
export function readLive(frames: readonly Uint8Array[]): SequencedPayload | undefined {
  return frames.length === 3 ? readBatch(frames) : undefined;
}

/** Reads one message of a replay; undefined if it is not one. */
export function readReplayed(frames: readonly Uint8Array[]): SequencedPayload | "end" | undefined {
  if (frames.length < 3 || frames.length > 4) return undefined;
  const isEnd = frames.at(-2)!.every((byte) => byte === 0xff) && frames.at(-2)!.length === endMarker.length;
  return isEnd ? "end" : readBatch(frames);
}

/** Reads the part that both have at the end: a sequence number and a payload. */
function readBatch(frames: readonly Uint8Array[]): SequencedPayload | undefined {
  const sequence = decodeSequence(frames.at(-2));
  const payload = frames.at(-1);
  return sequence === undefined || payload === undefined ? undefined : { sequence, payload };
}
