import type { ScheduledRequest } from "#workers";
import { END_OF_TURN } from "./tokens.ts";
import { Writer } from "./writer.ts";

/** What to generate. */
export interface Generation {
  tokens: readonly number[];
  maxTokens: number;
  /** Tokens to generate before the model may end its answer. */
  minTokens: number;
  ignoreEos: boolean;
  loraName: string | undefined;
  cacheSalt: string | undefined;
  /** Undefined: the least busy one. */
  rank: number | undefined;
  /** Whether the prompt's KV blocks come from another engine. */
  isReceived?: boolean;
}

export interface GeneratedToken {
  readonly id: number;
  /** Empty for the end of the turn. */
  readonly text: string;
  readonly finish: "stop" | "length" | undefined;
}

/** A block's tokens, and the block before it. */
export interface BlockContent {
  readonly parent: number | undefined;
  readonly tokenIds: readonly number[];
  readonly loraName: string | undefined;
  readonly cacheSalt: string | undefined;
}

/** A request in a rank. */
export class Sequence implements ScheduledRequest {
  readonly promptTokens: number;
  readonly maxTokens: number;
  cachedTokens = 0;
  /** Called for each token. */
  onGenerated: ((token: GeneratedToken) => void) | undefined;
  /** Called when the model ends its answer before `maxTokens`. */
  onEnd: (() => void) | undefined;
  get isReceived(): boolean {
    return this.#generation.isReceived ?? false;
  }

  /** Called when the request is first scheduled. */
  onStarted: (() => void) | undefined;
  readonly #generation: Generation;
  readonly #tokens: number[];
  readonly #writer: Writer;
  readonly #blockSize: number;
  readonly #hashes: number[] = [];
  readonly #describe: (hash: number, content: BlockContent) => void;

  /** @param describe receives the content of each block whose hash is requested */
  constructor(
    generation: Generation,
    blockSize: number,
    describe: (hash: number, content: BlockContent) => void,
  ) {
    this.#generation = generation;
    this.promptTokens = generation.tokens.length;
    this.maxTokens = generation.maxTokens;
    this.#tokens = [...generation.tokens];
    this.#writer = new Writer(this.#tokens);
    this.#blockSize = blockSize;
    this.#describe = describe;
  }

  hashAt(index: number): number {
    const { loraName, cacheSalt } = this.#generation;
    for (let block = this.#hashes.length; block <= index; block++) {
      const seed = hashText(0, `${loraName ?? ""}\n${cacheSalt ?? ""}`);
      this.#hashes.push(hashBlock(this.#hashes[block - 1] ?? seed, this.#tokensOf(block)));
    }
    const hash = this.#hashes[index]!;
    const parent = this.#hashes[index - 1];
    this.#describe(hash, { parent, tokenIds: this.#tokensOf(index), loraName, cacheSalt });
    return hash;
  }

  onStart(cachedTokens: number): void {
    this.cachedTokens = cachedTokens;
    this.onStarted?.();
  }

  onToken(isLast: boolean): void {
    const { ignoreEos, minTokens } = this.#generation;
    const generated = this.#tokens.length - this.promptTokens;
    const id = this.#writer.next(!ignoreEos && generated >= minTokens);
    this.#tokens.push(id);
    this.#writer.read(id);
    const isEnd = id === END_OF_TURN;
    const finish = isEnd ? "stop" : isLast ? "length" : undefined;
    this.onGenerated?.({ id, text: isEnd ? "" : String.fromCharCode(id), finish });
    if (isEnd && !isLast) this.onEnd?.();
  }

  /** The partial block after the last full one. The last token is excluded, as it is never evaluated. */
  tail(): BlockContent {
    const { loraName, cacheSalt } = this.#generation;
    const whole = Math.floor((this.#tokens.length - 1) / this.#blockSize);
    const parent = whole > 0 ? this.hashAt(whole - 1) : undefined;
    return { parent, tokenIds: this.#tokensOf(whole).slice(0, -1), loraName, cacheSalt };
  }

  #tokensOf(block: number): number[] {
    return this.#tokens.slice(block * this.#blockSize, (block + 1) * this.#blockSize);
  }
}

/** A 53-bit hash of a block's tokens and the previous block's hash. */
export function hashBlock(previous: number, tokens: readonly number[]): number {
  let low = previous | 0;
  let high = Math.floor(previous / 2 ** 32) ^ 0x2545f491;
  for (const token of tokens) {
    low = Math.imul(low ^ token, 0x9e3779b1);
    low ^= low >>> 15;
    high = Math.imul(high ^ token ^ low, 0x85ebca77);
    high ^= high >>> 13;
  }
  return (high & 0x1f_ffff) * 2 ** 32 + (low >>> 0);
}

function hashText(seed: number, text: string): number {
  return hashBlock(
    seed,
    Array.from(text, (letter) => letter.codePointAt(0)!),
  );
}
