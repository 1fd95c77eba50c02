import { TOKENS_PER_ID, type TraceRequest } from "./trace.ts";

/** First name of blocks that belong to a single request, and the number of such names per request. */
const OWN = 2 ** 32;
const OWN_PER_REQUEST = 2 ** 12;

/**
 * Names a trace's blocks with numbers in place of sequence hashes: blocks have the same name if their tokens and all
 * tokens before are the same. A prompt's block is named after the trace id that it is part of; a block with output
 * belongs to its request alone.
 */
export class BlockNames {
  readonly blockSize: number;
  readonly #trace: readonly TraceRequest[];
  readonly #perId: number;
  /** The id before each id; −1 at the start of a prompt. It is unique: an id determines everything before it. */
  readonly #previousId: Int32Array;

  constructor(trace: readonly TraceRequest[], blockSize: number) {
    this.blockSize = blockSize;
    this.#trace = trace;
    this.#perId = TOKENS_PER_ID / blockSize;
    const highest = trace.reduce(
      (most, { prefixIds }) => prefixIds.reduce((a, b) => Math.max(a, b), most),
      0,
    );
    this.#previousId = new Int32Array(highest + 1).fill(-1);
    for (const { prefixIds } of trace) {
      for (let i = 1; i < prefixIds.length; i++) this.#previousId[prefixIds[i]!] = prefixIds[i - 1]!;
    }
  }

  /** The name of a request's block `index`. */
  nameAt(request: number, index: number): number {
    const { promptTokens, prefixIds } = this.#trace[request]!;
    if ((index + 1) * this.blockSize > promptTokens) return OWN + request * OWN_PER_REQUEST + index;
    const id = prefixIds[Math.floor(index / this.#perId)]!;
    return id * this.#perId + (index % this.#perId);
  }

  /** The name of the previous block; undefined for a first block. */
  parentOf(name: number): number | undefined {
    if (name >= OWN) {
      const index = name % OWN_PER_REQUEST;
      return index === 0 ? undefined : this.nameAt(Math.floor((name - OWN) / OWN_PER_REQUEST), index - 1);
    }
    if (name % this.#perId > 0) return name - 1;
    const id = this.#previousId[name / this.#perId]!;
    return id < 0 ? undefined : (id + 1) * this.#perId - 1;
  }

  /** The id of all tokens of a block; different for each name. */
  tokenOf(name: number): number {
    return name < OWN ? name : 2 ** 31 + (name % 2 ** 31);
  }

  /** Writes a prompt's token ids, including those of a partial last block. */
  writePrompt(request: number, tokenIds: Uint32Array): void {
    for (let start = 0, index = 0; start < tokenIds.length; start += this.blockSize, index++) {
      tokenIds.fill(this.tokenOf(this.nameAt(request, index)), start, start + this.blockSize);
    }
  }
}
