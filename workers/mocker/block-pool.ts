/** A KV block of the simulated GPU. */
interface Block {
  /** Sequence hash of its content; undefined while it is not full. */
  hash: number | undefined;
  /** Requests that use it; 0 for a block in the free list, which may still have cached content. */
  references: number;
  /** The next block with the same content. */
  copy: Block | undefined;
  previous: Block | undefined;
  next: Block | undefined;
}

/** Notified when content becomes cached, and when its last copy has been overwritten. */
export interface BlockListener {
  onStored(hash: number): void;
  onRemoved(hash: number): void;
}

/**
 * Paged KV memory with a prefix cache, as in vLLM: blocks have reference counts. An unused block goes to the end of a
 * free list and keeps its content until it is reused, least recently freed first. The sequence hash of a block identifies
 * its tokens and all before them.
 */
export class BlockPool {
  readonly total: number;
  readonly #listener: BlockListener;
  /** The first block of each content. */
  readonly #cached = new Map<number, Block>();
  /** Ends of the free list; the first is used next. */
  readonly #free: Block;
  #freeCount = 0;

  constructor(total: number, listener: BlockListener) {
    this.total = total;
    this.#listener = listener;
    this.#free = createBlock();
    this.#free.next = this.#free;
    this.#free.previous = this.#free;
    for (let index = 0; index < total; index++) this.#append(createBlock());
  }

  /** Free blocks, including those with cached content. */
  get freeCount(): number {
    return this.#freeCount;
  }

  /** How many blocks at the beginning of a sequence are cached. */
  cachedPrefix(hashes: readonly number[], limit: number): number {
    let length = 0;
    while (length < limit && this.#cached.has(hashes[length]!)) length++;
    return length;
  }

  /** How many of the first `count` cached blocks are in the free list: sharing them reduces `freeCount`. */
  idlePrefix(hashes: readonly number[], count: number): number {
    let idle = 0;
    for (let index = 0; index < count; index++) if (this.#find(hashes[index]!).references === 0) idle++;
    return idle;
  }

  /** Adds a reference to a cached block. */
  share(hash: number): Block {
    const block = this.#find(hash);
    if (block.references === 0) this.#unlink(block);
    block.references++;
    return block;
  }

  /** Takes the least recently freed block; its content is lost. Undefined if none is free. */
  take(): Block | undefined {
    const block = this.#free.next!;
    if (block === this.#free) return undefined;
    this.#unlink(block);
    this.#forget(block);
    block.references = 1;
    return block;
  }

  /** Marks a block as full and caches its content. */
  fill(block: Block, hash: number): void {
    block.hash = hash;
    const first = this.#cached.get(hash);
    if (first === undefined) {
      this.#cached.set(hash, block);
      this.#listener.onStored(hash);
    } else {
      block.copy = first.copy;
      first.copy = block;
    }
  }

  /** Releases a request's blocks, last first, so that a prefix outlives its continuations. */
  release(blocks: readonly Block[]): void {
    for (let index = blocks.length - 1; index >= 0; index--) {
      const block = blocks[index]!;
      block.references--;
      if (block.references === 0) this.#append(block);
    }
  }

  /** All cached content. */
  contents(): IterableIterator<number> {
    return this.#cached.keys();
  }

  #find(hash: number): Block {
    // Prefer a copy in use to one in the free list.
    const first = this.#cached.get(hash)!;
    for (let block: Block | undefined = first; block !== undefined; block = block.copy) {
      if (block.references > 0) return block;
    }
    return first;
  }

  #forget(block: Block): void {
    const { hash } = block;
    if (hash === undefined) return;
    block.hash = undefined;
    const { copy } = block;
    block.copy = undefined;
    let before = this.#cached.get(hash)!;
    if (before === block) {
      if (copy === undefined) {
        this.#cached.delete(hash);
        this.#listener.onRemoved(hash);
      } else this.#cached.set(hash, copy);
      return;
    }
    while (before.copy !== block) before = before.copy!;
    before.copy = copy;
  }

  #append(block: Block): void {
    const last = this.#free.previous!;
    last.next = block;
    block.previous = last;
    block.next = this.#free;
    this.#free.previous = block;
    this.#freeCount++;
  }

  #unlink(block: Block): void {
    block.previous!.next = block.next;
    block.next!.previous = block.previous;
    block.previous = undefined;
    block.next = undefined;
    this.#freeCount--;
  }
}

export type { Block };

const createBlock = (): Block => ({
  hash: undefined,
  references: 0,
  copy: undefined,
  previous: undefined,
  next: undefined,
});
