import { TOKENS_PER_ID, type TraceRequest } from "./trace.ts";

/** Where the names of blocks begin that are one request's own, and how many each has. */
const OWN = 2 ** 32;
const OWN_PER_REQUEST = 2 ** 12;

/**
 * Names of a trace's blocks, numbers that stand for sequence hashes: the same name, the same tokens and the same
 * before them. A block of a prompt is named after the trace's id that it is part of; one that holds output is its
 * request's own.
 */
export class BlockNames {
  readonly blockSize: number;
  readonly #trace: readonly TraceRequest[];
  readonly #perId: number;
  /** The id before each, −1 at the beginning of a prompt. An id stands for all before it, so there is one. */
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

  /** The name of the block before; undefined for a first one. */
  parentOf(name: number): number | undefined {
    if (name >= OWN) {
      const index = name % OWN_PER_REQUEST;
      return index === 0 ? undefined : this.nameAt(Math.floor((name - OWN) / OWN_PER_REQUEST), index - 1);
    }
    if (name % this.#perId > 0) return name - 1;
    const id = this.#previousId[name / this.#perId]!;
    return id < 0 ? undefined : (id + 1) * this.#perId - 1;
  }

  /** The id that all tokens of a block have; a block with another name has another one. */
  tokenOf(name: number): number {
    return name < OWN ? name : 2 ** 31 + (name % 2 ** 31);
  }

  /** Writes a prompt's token ids, of whole blocks and the rest. */
  writePrompt(request: number, tokenIds: Uint32Array): void {
    for (let start = 0, index = 0; start < tokenIds.length; start += this.blockSize, index++) {
      tokenIds.fill(this.tokenOf(this.nameAt(request, index)), start, start + this.blockSize);
    }
  }
}
