import {
  deltaHeadBytes,
  type FinishReason,
  finishReasons,
  flag,
  type KvTransfer,
  maxTokensInDelta,
  maxTop,
  type TopLogprobs,
  transferOutcomes,
} from "./delta.ts";

export interface DeltaEncoderOptions {
  /** Whether every token carries its log probability: `request.logprobs !== undefined`. Default false. */
  logprobs?: boolean;
}

/**
 * Gathers an engine's output of one turn of the event loop into one message. One encoder serves one call and is reused
 * for each message.
 *
 * @example
 * encoder.add(token);
 * if (!call.send(encoder.take())) await call.writable();
 */
export class DeltaEncoder {
  readonly #logprobs: boolean;
  #bytes = new Uint8Array(64);
  #view = new DataView(this.#bytes.buffer);
  #used = deltaHeadBytes;
  #count = 0;
  #cached: number | undefined;
  #media: number | undefined;
  #finish: FinishReason | undefined;
  #stopToken: number | undefined;
  #transfer: KvTransfer | undefined;

  constructor(options: DeltaEncoderOptions = {}) {
    this.#logprobs = options.logprobs ?? false;
  }

  /** Tokens gathered since the last `take`. */
  get count(): number {
    return this.#count;
  }

  /**
   * Adds a token. `logprob` and `top` (at most 20) are ignored unless the encoder has the option `logprobs`; without a
   * `logprob` the token has none, like the first token of an echoed prompt.
   *
   * @throws RangeError for an invalid token id, the 65,536th token of a message, or too many alternatives
   */
  add(tokenId: number, logprob = Number.NaN, top: TopLogprobs = none): void {
    if (this.#count === maxTokensInDelta)
      throw new RangeError("A message holds at most 65,535 tokens; call take() first.");
    if (top.length > maxTop) throw new RangeError(`A token can have at most ${maxTop} alternatives.`);
    requireTokenId(tokenId);
    for (const [id] of top) requireTokenId(id);
    this.#room(9 + top.length * 8);
    this.#putUint32(tokenId);
    this.#count++;
    if (!this.#logprobs) return;
    this.#putFloat32(logprob);
    this.#bytes[this.#used++] = top.length;
    for (const [id, value] of top) {
      this.#putUint32(id);
      this.#putFloat32(value);
    }
  }

  /** Sets how many prompt tokens came from the prefix cache; once per call, with or before its first token. */
  cachedTokens(count: number): void {
    this.#cached = count;
  }

  /** Sets how many prompt tokens the request's media became; once per call, with or before its first token. */
  mediaTokens(count: number): void {
    this.#media = count;
  }

  /** Sets what became of the request's `kvSource`; once per call, with or before its first token. */
  transfer(transfer: KvTransfer): void {
    this.#transfer = transfer;
  }

  /**
   * Sets why the answer ends; `stopToken` is the token that ended it, which is not added.
   *
   * @throws RangeError for an invalid token id
   */
  finish(reason: FinishReason, stopToken?: number): void {
    if (stopToken !== undefined) requireTokenId(stopToken);
    this.#finish = reason;
    this.#stopToken = stopToken;
  }

  /** Returns the message, valid until the next `add`, and starts a new one. `ServerCall.send` copies it. */
  take(): Uint8Array {
    return this.#take(0);
  }

  /** Like `take`, for the prompt's tokens (`echoLogprobs`), which precede the answer's. */
  takeEcho(): Uint8Array {
    return this.#take(flag.echo);
  }

  #take(echo: number): Uint8Array {
    let flags = echo | (this.#logprobs ? flag.logprobs : 0);
    this.#room(26);
    if (this.#cached !== undefined) {
      flags |= flag.cached;
      this.#putUint32(this.#cached);
    }
    if (this.#finish !== undefined) {
      flags |= flag.finish;
      this.#bytes[this.#used++] = finishReasons.indexOf(this.#finish);
    }
    if (this.#stopToken !== undefined) {
      flags |= flag.stopToken;
      this.#putUint32(this.#stopToken);
    }
    if (this.#transfer !== undefined) {
      const { outcome, microseconds, bytes } = this.#transfer;
      flags |= flag.transfer;
      this.#bytes[this.#used++] = transferOutcomes.indexOf(outcome);
      this.#putUint32(Math.min(Math.round(microseconds), 0xffffffff));
      this.#view.setFloat64(this.#used, bytes, true);
      this.#used += 8;
    }
    if (this.#media !== undefined) {
      flags |= flag.media;
      this.#putUint32(this.#media);
    }
    this.#bytes[0] = flags;
    this.#view.setUint16(1, this.#count, true);
    const message = this.#bytes.subarray(0, this.#used);
    this.#used = deltaHeadBytes;
    this.#count = 0;
    this.#cached = this.#finish = this.#stopToken = this.#transfer = this.#media = undefined;
    return message;
  }

  #putUint32(value: number): void {
    this.#view.setUint32(this.#used, value, true);
    this.#used += 4;
  }

  #putFloat32(value: number): void {
    this.#view.setFloat32(this.#used, value, true);
    this.#used += 4;
  }

  #room(bytes: number): void {
    if (this.#used + bytes <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#used + bytes));
    larger.set(this.#bytes);
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}

const none: TopLogprobs = [];

function requireTokenId(id: number): void {
  if (id >>> 0 !== id) throw new RangeError(`${id} is not a token id, an integer from 0 to 4,294,967,295.`);
}
