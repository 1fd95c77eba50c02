import { PlaneError } from "../request-plane/types.ts";
import {
  deltaHeadBytes,
  type FinishReason,
  finishReasons,
  flag,
  type KvTransfer,
  maxTop,
  transferOutcomes,
} from "./delta.ts";

/**
 * Decodes messages of `DeltaEncoder` into its own fields, which hold the last message; a plain token costs no
 * allocation. One decoder can serve many calls, one message at a time.
 *
 * @example
 * decoder.read(message);
 * for (let i = 0; i < decoder.count; i++) append(decoder.tokens[i]);
 */
export class DeltaDecoder {
  /** Number of tokens in the message. */
  count = 0;
  /** The tokens; only the first `count` belong to the message. */
  tokens = new Uint32Array(16);
  /** The tokens are the prompt's, not the answer's. */
  echo = false;
  /** Whether the tokens carry log probabilities. */
  hasLogprobs = false;
  /** Log probability of each token; NaN if it has none. */
  logprobs = new Float32Array(16);
  /** Prompt tokens found in the prefix cache, if the message says. */
  cachedTokens: number | undefined;
  finish: FinishReason | undefined;
  /** The token that ended the answer, if any; it is not among `tokens`. */
  stopToken: number | undefined;
  /** What became of the request's `kvSource`, if the message says; an outcome of a newer version is `failed`. */
  transfer: KvTransfer | undefined;
  /** Prompt tokens that the request's media became, if the message says. */
  mediaTokens: number | undefined;

  #topCounts = new Uint8Array(0);
  #topIds = new Uint32Array(0);
  #topLogprobs = new Float32Array(0);

  /** The number of alternatives to token `index`. */
  topCount(index: number): number {
    return this.hasLogprobs ? (this.#topCounts[index] ?? 0) : 0;
  }

  /** Id of alternative `rank` (from 0, most likely first) to token `index`. */
  topId(index: number, rank: number): number {
    return this.#topIds[index * maxTop + rank] ?? 0;
  }

  /** Log probability of alternative `rank` to token `index`. */
  topLogprob(index: number, rank: number): number {
    return this.#topLogprobs[index * maxTop + rank] ?? Number.NaN;
  }

  /**
   * Decodes one message, keeping no reference to it.
   *
   * @throws PlaneError `invalid_request` if the bytes are not a valid message; the fields are then undefined
   */
  read(message: Uint8Array): void {
    if (message.length < deltaHeadBytes) throw malformed("it is shorter than its head");
    const flags = message[0] as number;
    if (flags & ~allFlags) throw malformed(`its flags ${flags} are unknown`);
    this.count = (message[1] as number) | ((message[2] as number) << 8);
    this.echo = (flags & flag.echo) !== 0;
    this.hasLogprobs = (flags & flag.logprobs) !== 0;
    const room = message.length - deltaHeadBytes;
    if (this.count * (this.hasLogprobs ? 9 : 4) > room)
      throw malformed(`${this.count} tokens do not fit into it`);
    this.#grow();
    const end = this.hasLogprobs ? this.#readLogprobs(message) : this.#readTokens(message);
    this.#readTail(message, end, flags);
  }

  #readTokens(message: Uint8Array): number {
    let at = deltaHeadBytes;
    for (let i = 0; i < this.count; i++, at += 4) this.tokens[i] = uint32(message, at);
    return at;
  }

  #readLogprobs(message: Uint8Array): number {
    let at = deltaHeadBytes;
    for (let i = 0; i < this.count; i++) {
      need(message, at, 9);
      this.tokens[i] = uint32(message, at);
      this.logprobs[i] = float32(message, at + 4);
      const top = message[at + 8] as number;
      at += 9;
      if (top > maxTop) throw malformed(`a token has ${top} alternatives`);
      need(message, at, top * 8);
      this.#topCounts[i] = top;
      for (let slot = i * maxTop; slot < i * maxTop + top; slot++, at += 8) {
        this.#topIds[slot] = uint32(message, at);
        this.#topLogprobs[slot] = float32(message, at + 4);
      }
    }
    return at;
  }

  #readTail(message: Uint8Array, start: number, flags: number): void {
    let at = start;
    this.cachedTokens = this.finish = this.stopToken = this.transfer = this.mediaTokens = undefined;
    if (flags & flag.cached) {
      need(message, at, 4);
      this.cachedTokens = uint32(message, at);
      at += 4;
    }
    if (flags & flag.finish) {
      this.finish = finishReasons[message[at] ?? -1];
      if (this.finish === undefined) throw malformed("its finish reason is missing or unknown");
      at += 1;
    }
    if (flags & flag.stopToken) {
      need(message, at, 4);
      this.stopToken = uint32(message, at);
      at += 4;
    }
    if (flags & flag.transfer) {
      need(message, at, 13);
      this.transfer = {
        outcome: transferOutcomes[message[at] as number] ?? "failed",
        microseconds: uint32(message, at + 1),
        bytes: float64(message, at + 5),
      };
      at += 13;
    }
    if (flags & flag.media) {
      need(message, at, 4);
      this.mediaTokens = uint32(message, at);
      at += 4;
    }
    if (at !== message.length) throw malformed(`it has ${message.length} bytes instead of ${at}`);
  }

  #grow(): void {
    if (this.count > this.tokens.length) {
      this.tokens = new Uint32Array(this.count);
      this.logprobs = new Float32Array(this.count);
    }
    if (this.hasLogprobs && this.count > this.#topCounts.length) {
      const capacity = this.tokens.length;
      this.#topCounts = new Uint8Array(capacity);
      this.#topIds = new Uint32Array(capacity * maxTop);
      this.#topLogprobs = new Float32Array(capacity * maxTop);
    }
  }
}

const allFlags =
  flag.logprobs | flag.cached | flag.finish | flag.stopToken | flag.echo | flag.transfer | flag.media;

const bits = new Uint32Array(1);
const float = new Float32Array(bits.buffer);

function uint32(bytes: Uint8Array, at: number): number {
  const low = (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16);
  return low + (bytes[at + 3] as number) * 0x1000000;
}

function float32(bytes: Uint8Array, at: number): number {
  bits[0] = uint32(bytes, at);
  return float[0] as number;
}

function float64(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getFloat64(at, true);
}

function need(message: Uint8Array, at: number, bytes: number): void {
  if (at + bytes > message.length) throw malformed("it ends too early");
}

function malformed(what: string): PlaneError {
  return new PlaneError("invalid_request", `The generate message is malformed: ${what}.`);
}
