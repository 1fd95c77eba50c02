import {
  type FinishReason,
  finishReasons,
  flag,
  headBytes,
  maxTokensInDelta,
  maxTop,
  type TopLogprobs,
} from "./delta.ts";

export interface DeltaEncoderOptions {
  /** Whether every token carries its log probability: `request.logprobs !== undefined`. Default false. */
  logprobs?: boolean;
}

/**
 * Gathers what an engine produced in one turn of the event loop into one message. One encoder serves one call
 * and is used again for each message.
 *
 * @example
 * encoder.add(token);
 * if (!call.send(encoder.take())) await call.writable();
 */
export class DeltaEncoder {
  readonly #logprobs: boolean;
  #bytes = new Uint8Array(64);
  #view = new DataView(this.#bytes.buffer);
  #used = headBytes;
  #count = 0;
  #cached: number | undefined;
  #finish: FinishReason | undefined;
  #stopToken: number | undefined;

  constructor(options: DeltaEncoderOptions = {}) {
    this.#logprobs = options.logprobs ?? false;
  }

  /** Tokens gathered since the last `take`. */
  get count(): number {
    return this.#count;
  }

  /**
   * Adds a token. `logprob` and `top` (at most 20) count only where the encoder was made for them; without a
   * `logprob` the token has none, as the first token of an echoed prompt.
   *
   * @throws RangeError for what is no token id, the 65,536th token of a message, or too many alternatives
   */
  add(tokenId: number, logprob = Number.NaN, top: TopLogprobs = none): void {
    if (this.#count === maxTokensInDelta)
      throw new RangeError("A message holds 65,535 tokens; take it first.");
    if (top.length > maxTop) throw new RangeError(`At most ${maxTop} alternatives fit beside a token.`);
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

  /** Says how many prompt tokens came from the prefix cache; once a call, with or before its first token. */
  cachedTokens(count: number): void {
    this.#cached = count;
  }

  /**
   * Says why the answer ends; `stopToken` is the token that ended it, which is not added.
   *
   * @throws RangeError for what is no token id
   */
  finish(reason: FinishReason, stopToken?: number): void {
    if (stopToken !== undefined) requireTokenId(stopToken);
    this.#finish = reason;
    this.#stopToken = stopToken;
  }

  /** The message, valid until the next `add`; the encoder begins a new one. `ServerCall.send` takes a copy. */
  take(): Uint8Array {
    return this.#take(0);
  }

  /** As `take`, for tokens that are the prompt's (`echoLogprobs`); they go before the answer's. */
  takeEcho(): Uint8Array {
    return this.#take(flag.echo);
  }

  #take(echo: number): Uint8Array {
    let flags = echo | (this.#logprobs ? flag.logprobs : 0);
    this.#room(9);
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
    this.#bytes[0] = flags;
    this.#view.setUint16(1, this.#count, true);
    const message = this.#bytes.subarray(0, this.#used);
    this.#used = headBytes;
    this.#count = 0;
    this.#cached = this.#finish = this.#stopToken = undefined;
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
  if (id >>> 0 !== id) throw new RangeError(`${id} is no token id: those are whole numbers from 0.`);
}
