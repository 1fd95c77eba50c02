import type { KvEvent } from "#runtime";

/** A block of tokens held by at least one sequence. Equal prefixes share a reference-counted block. */
interface Block {
  hash: bigint;
  key: string;
  parent: Block | undefined;
  tokenIds: readonly number[];
  children: Map<string, Block>;
  holders: number;
}

/**
 * Tracks the sequences of a llama.cpp context block by block and emits KV events: a block is stored when the first
 * sequence holds it, and removed when the last one releases it.
 */
export class KvBlocks {
  readonly blockSize: number;
  readonly #roots = new Map<string, Block>();
  readonly #sequences = new Map<number, Block[]>();
  readonly #emit: (events: KvEvent[]) => void;
  /** Block hashes are opaque, so counting from a random 64-bit start makes them unique. */
  #nextHash = BigInt.asUintN(64, BigInt(`0x${crypto.randomUUID().replaceAll("-", "").slice(0, 16)}`));

  constructor(blockSize: number, emit: (events: KvEvent[]) => void) {
    this.blockSize = blockSize;
    this.#emit = emit;
  }

  /** Sets the tokens that `sequence` holds in its KV cells. */
  update(sequence: number, tokens: readonly number[]): void {
    const held = this.#sequences.get(sequence) ?? [];
    const whole = Math.floor(tokens.length / this.blockSize);
    let kept = 0;
    while (kept < held.length && kept < whole && held[kept]!.key === this.#key(tokens, kept)) kept++;
    const removed = this.#release(held, kept);
    const stored = this.#hold(held, tokens, whole);
    this.#sequences.set(sequence, held);
    const events = [...(removed ? [removed] : []), ...(stored ? [stored] : [])];
    if (events.length > 0) this.#emit(events);
  }

  /**
   * Like `update` for a sequence that has only grown: checks only new blocks, so it can be called for every token.
   */
  grow(sequence: number, tokens: readonly number[], length: number): void {
    const held = this.#sequences.get(sequence) ?? [];
    const whole = Math.floor(length / this.blockSize);
    if (whole === held.length) return;
    this.#sequences.set(sequence, held);
    const stored = this.#hold(held, tokens, whole);
    if (stored) this.#emit([stored]);
  }

  /** Stored events for every held block, parents before children. */
  snapshot(): KvEvent[] {
    const events: KvEvent[] = [];
    const visit = (block: Block) => {
      events.push(this.#storedEvent([block]));
      for (const child of block.children.values()) visit(child);
    };
    for (const root of this.#roots.values()) visit(root);
    return events;
  }

  /** The number of held blocks, counting shared ones once. */
  get size(): number {
    const distinct = new Set<Block>();
    for (const blocks of this.#sequences.values()) for (const block of blocks) distinct.add(block);
    return distinct.size;
  }

  #key(tokens: readonly number[], index: number): string {
    return tokens.slice(index * this.blockSize, (index + 1) * this.blockSize).join(",");
  }

  #hold(held: Block[], tokens: readonly number[], whole: number): KvEvent | undefined {
    const created: Block[] = [];
    while (held.length < whole) {
      const parent = held.at(-1);
      const siblings = parent?.children ?? this.#roots;
      const key = this.#key(tokens, held.length);
      let block = siblings.get(key);
      if (block === undefined) {
        const tokenIds = tokens.slice(held.length * this.blockSize, (held.length + 1) * this.blockSize);
        block = { hash: this.#takeHash(), key, parent, tokenIds, children: new Map(), holders: 0 };
        siblings.set(key, block);
        created.push(block);
      }
      block.holders++;
      held.push(block);
    }
    return created.length > 0 ? this.#storedEvent(created) : undefined;
  }

  /** Releases a sequence's blocks from `kept` on, last first, as a parent outlives its children. */
  #release(held: Block[], kept: number): KvEvent | undefined {
    const removed: bigint[] = [];
    while (held.length > kept) {
      const block = held.pop()!;
      block.holders--;
      if (block.holders > 0) continue;
      (block.parent?.children ?? this.#roots).delete(block.key);
      removed.push(block.hash);
    }
    return removed.length > 0 ? { type: "removed", blockHashes: BigUint64Array.from(removed) } : undefined;
  }

  #storedEvent(chain: readonly Block[]): KvEvent {
    return {
      type: "stored",
      blockHashes: BigUint64Array.from(chain, (block) => block.hash),
      parentHash: chain[0]!.parent?.hash,
      tokenIds: Uint32Array.from(chain.flatMap((block) => block.tokenIds)),
      blockSize: this.blockSize,
    };
  }

  #takeHash(): bigint {
    const hash = this.#nextHash;
    this.#nextHash = BigInt.asUintN(64, hash + 1n);
    return hash;
  }
}
