import type { KvEvent } from "#runtime";
import type { BlockSalt } from "../block-salt.ts";

/** A block of tokens held by at least one sequence. Equal prefixes share a reference-counted block. */
interface Block {
  hash: bigint;
  key: string;
  parent: Block | undefined;
  tokenIds: readonly number[];
  /** Set in the first block that is not shared by all. */
  cacheSalt: string | undefined;
  children: Map<string, Block>;
  holders: number;
}

/** What a sequence holds. */
interface Sequence {
  readonly blocks: Block[];
  salt: BlockSalt | undefined;
}

/**
 * Tracks the sequences of a llama.cpp context block by block and emits KV events: a block is stored when the first
 * sequence holds it, and removed when the last one releases it.
 */
export class KvBlocks {
  readonly blockSize: number;
  readonly #roots = new Map<string, Block>();
  readonly #sequences = new Map<number, Sequence>();
  readonly #emit: (events: KvEvent[]) => void;
  readonly #loraName: string | undefined;
  /** Block hashes are opaque, so counting from a random 64-bit start makes them unique. */
  #nextHash = BigInt.asUintN(64, BigInt(`0x${crypto.randomUUID().replaceAll("-", "").slice(0, 16)}`));

  /** @param loraName the LoRA adapter that computes the blocks, if any */
  constructor(blockSize: number, emit: (events: KvEvent[]) => void, loraName?: string) {
    this.blockSize = blockSize;
    this.#emit = emit;
    this.#loraName = loraName;
  }

  /** Sets the tokens that `sequence` holds in its KV cells, and whose they are. */
  update(sequence: number, tokens: readonly number[], salt?: BlockSalt): void {
    const held = this.#held(sequence);
    held.salt = salt;
    const { blocks } = held;
    const whole = Math.floor(tokens.length / this.blockSize);
    let kept = 0;
    while (kept < blocks.length && kept < whole && blocks[kept]!.key === this.#key(tokens, kept, salt))
      kept++;
    const removed = this.#release(blocks, kept);
    const events = [...(removed ? [removed] : []), ...this.#hold(held, tokens, whole)];
    if (events.length > 0) this.#emit(events);
  }

  /** Sets the tokens that `sequence` holds, without a change of whose they are. */
  sync(sequence: number, tokens: readonly number[]): void {
    this.update(sequence, tokens, this.#held(sequence).salt);
  }

  /**
   * Like `sync` for a sequence that has only grown: checks only new blocks, so it can be called for every token.
   */
  grow(sequence: number, tokens: readonly number[], length: number): void {
    const held = this.#held(sequence);
    const whole = Math.floor(length / this.blockSize);
    if (whole === held.blocks.length) return;
    const events = this.#hold(held, tokens, whole);
    if (events.length > 0) this.#emit(events);
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
    for (const { blocks } of this.#sequences.values()) for (const block of blocks) distinct.add(block);
    return distinct.size;
  }

  #held(sequence: number): Sequence {
    let held = this.#sequences.get(sequence);
    if (held === undefined) {
      held = { blocks: [], salt: undefined };
      this.#sequences.set(sequence, held);
    }
    return held;
  }

  #key(tokens: readonly number[], index: number, salt: BlockSalt | undefined): string {
    const key = tokens.slice(index * this.blockSize, (index + 1) * this.blockSize).join(",");
    return salt?.block === index ? `${salt.text} ${key}` : key;
  }

  /** @returns the events of blocks that no sequence held before */
  #hold({ blocks, salt }: Sequence, tokens: readonly number[], whole: number): KvEvent[] {
    const chains: Block[][] = [];
    while (blocks.length < whole) {
      const index = blocks.length;
      const parent = blocks.at(-1);
      const siblings = parent?.children ?? this.#roots;
      const key = this.#key(tokens, index, salt);
      let block = siblings.get(key);
      if (block === undefined) {
        const tokenIds = tokens.slice(index * this.blockSize, (index + 1) * this.blockSize);
        const cacheSalt = salt?.block === index ? salt.text : undefined;
        block = { hash: this.#takeHash(), key, parent, tokenIds, cacheSalt, children: new Map(), holders: 0 };
        siblings.set(key, block);
        // An event has the salt of its first block.
        if (chains.length === 0 || cacheSalt !== undefined) chains.push([]);
        chains.at(-1)!.push(block);
      }
      block.holders++;
      blocks.push(block);
    }
    return chains.map((chain) => this.#storedEvent(chain));
  }

  /** Releases a sequence's blocks from `kept` on, last first, as a parent outlives its children. */
  #release(blocks: Block[], kept: number): KvEvent | undefined {
    const removed: bigint[] = [];
    while (blocks.length > kept) {
      const block = blocks.pop()!;
      block.holders--;
      if (block.holders > 0) continue;
      (block.parent?.children ?? this.#roots).delete(block.key);
      removed.push(block.hash);
    }
    return removed.length > 0 ? { type: "removed", blockHashes: BigUint64Array.from(removed) } : undefined;
  }

  #storedEvent(chain: readonly Block[]): KvEvent {
    const { parent, cacheSalt } = chain[0]!;
    return {
      type: "stored",
      blockHashes: BigUint64Array.from(chain, (block) => block.hash),
      parentHash: parent?.hash,
      tokenIds: Uint32Array.from(chain.flatMap((block) => block.tokenIds)),
      blockSize: this.blockSize,
      ...(this.#loraName !== undefined && { loraName: this.#loraName }),
      ...(cacheSalt !== undefined && { cacheSalt }),
    };
  }

  #takeHash(): bigint {
    const hash = this.#nextHash;
    this.#nextHash = BigInt.asUintN(64, hash + 1n);
    return hash;
  }
}
