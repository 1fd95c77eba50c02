import type { GenerateRequest } from "#runtime";
import { type BlockSalt, blockSaltOf } from "../block-salt.ts";
import type { Content } from "./cache-events.ts";
import { DeltaQueue } from "./delta-queue.ts";
import { nextHash, seedOf } from "./hashes.ts";
import type { ScheduledRequest } from "./scheduler.ts";

/**
 * The simulated answers: these bytes, repeated. A token's position in prompt and answer chooses the byte, so that a
 * request that goes on elsewhere, with its answer so far as part of its prompt, gets the same text. Each LoRA adapter
 * begins elsewhere in it.
 */
const ANSWER = new TextEncoder().encode("the quick brown fox jumps over the lazy dog and ");

/** The request that knows a block's tokens when it is stored: the last one that returned its hash. */
export type BlockOwners = Map<number, MockRequest>;

/** A request with its tokens, its answer, and the hashes of its blocks. */
export class MockRequest implements ScheduledRequest {
  readonly promptTokens: number;
  readonly maxTokens: number;
  readonly importedTokens?: number;
  readonly answer = new DeltaQueue();
  readonly #tokens: number[];
  readonly #loraName: string | undefined;
  /** The hash before the first block. */
  readonly #seed: number;
  readonly #blockSize: number;
  readonly #salt: BlockSalt | undefined;
  readonly #owners: BlockOwners;
  readonly #hashes: number[] = [];
  readonly #indices = new Map<number, number>();

  /** @param importedTokens how many of the prompt's first tokens another worker has computed, if any */
  constructor(
    request: GenerateRequest,
    blockSize: number,
    owners: BlockOwners,
    importedTokens: number | undefined,
  ) {
    this.promptTokens = request.tokens.length;
    this.maxTokens = request.maxTokens;
    if (importedTokens !== undefined) this.importedTokens = importedTokens;
    this.#tokens = Array.from(request.tokens);
    this.#loraName = request.loraName;
    this.#seed = seedOf(request.loraName);
    this.#blockSize = blockSize;
    this.#salt = blockSaltOf(request, blockSize);
    this.#owners = owners;
  }

  hashAt(index: number): number {
    for (let block = this.#hashes.length; block <= index; block++) {
      const start = block * this.#blockSize;
      const before = this.#saltedHash(this.#hashes[block - 1] ?? this.#seed, block);
      const hash = nextHash(before, this.#tokens, start, start + this.#blockSize);
      this.#hashes.push(hash);
      this.#indices.set(hash, block);
    }
    const hash = this.#hashes[index]!;
    this.#owners.set(hash, this);
    return hash;
  }

  contentOf(hash: number): Content {
    const index = this.#indices.get(hash)!;
    const start = index * this.#blockSize;
    return {
      parent: this.#hashes[index - 1],
      loraName: this.#loraName,
      tokenIds: Uint32Array.from(this.#tokens.slice(start, start + this.#blockSize)),
      cacheSalt: this.#salt?.block === index ? this.#salt.text : undefined,
    };
  }

  /** The hash before a block, with the salt if the block has it. */
  #saltedHash(before: number, block: number): number {
    if (this.#salt?.block !== block) return before;
    const { text } = this.#salt;
    return nextHash(
      before,
      Array.from(text, (char) => char.codePointAt(0)!),
      0,
      text.length,
    );
  }

  onStart(cachedTokens: number): void {
    this.answer.push({ tokenIds: [], cachedTokens });
  }

  onToken(isLast: boolean): void {
    const token = ANSWER[(this.#seed + this.#tokens.length) % ANSWER.length]!;
    this.#tokens.push(token);
    this.answer.push({ tokenIds: [token], ...(isLast && { finish: "length" }) });
    if (isLast) this.answer.end();
  }

  /** Releases its hashes, except those taken over by another request. */
  forget(): void {
    for (const hash of this.#hashes) if (this.#owners.get(hash) === this) this.#owners.delete(hash);
  }
}
