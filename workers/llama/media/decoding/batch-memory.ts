import { DIMENSIONS } from "../medium-parts.ts";
import type { Foreign } from "../native/foreign.ts";

/** Most tokens in one step of llama.cpp. */
export const BATCH_SIZE = 512;

/** A `llama_batch`; pointers are addresses. */
export interface Batch {
  readonly n_tokens: number;
  readonly token: bigint | null;
  readonly embd: bigint | null;
  readonly pos: bigint;
  readonly n_seq_id: bigint;
  readonly seq_id: bigint;
  readonly logits: bigint;
}

/** The memory of C's in which steps are described to llama.cpp: allocated once, so that a token costs no allocation. */
export class BatchMemory {
  readonly tokens: Int32Array;
  /** For embeddings with places, all of one dimension before those of the next one. */
  readonly positions: Int32Array;
  /** Whether there are to be logits after a token: 1, or 0. */
  readonly outputs: Int8Array;
  readonly embeddings: Float32Array;
  readonly #sequences: BigUint64Array;
  readonly #addresses: Omit<Batch, "n_tokens">;
  readonly #firstSequence: bigint;
  readonly #free: () => void;

  /**
   * @param sequences how many there are
   * @param width of an embedding
   */
  constructor({ koffi }: Foreign, sequences: number, width: number) {
    const allocated: unknown[] = [];
    this.#free = () => {
      for (const pointer of allocated) koffi.free(pointer);
    };
    const allocate = (type: string, bytes: number, count: number) => {
      const pointer = koffi.alloc(type, count);
      allocated.push(pointer);
      return { address: koffi.address(pointer), memory: koffi.view(pointer, bytes * count) };
    };
    const tokens = allocate("int32", 4, BATCH_SIZE);
    const positions = allocate("int32", 4, BATCH_SIZE * DIMENSIONS);
    const counts = allocate("int32", 4, BATCH_SIZE);
    const pointers = allocate("uint64", 8, BATCH_SIZE);
    const outputs = allocate("int8", 1, BATCH_SIZE);
    const embeddings = allocate("float", 4, BATCH_SIZE * width);
    const ids = allocate("int32", 4, sequences);
    this.tokens = new Int32Array(tokens.memory);
    this.positions = new Int32Array(positions.memory);
    this.outputs = new Int8Array(outputs.memory);
    this.embeddings = new Float32Array(embeddings.memory);
    this.#sequences = new BigUint64Array(pointers.memory);
    this.#firstSequence = ids.address;
    new Int32Array(ids.memory).set(Int32Array.from({ length: sequences }, (_, id) => id));
    // Each token is of one sequence.
    new Int32Array(counts.memory).fill(1);
    this.#addresses = {
      ...{ token: tokens.address, embd: embeddings.address, pos: positions.address },
      ...{ n_seq_id: counts.address, seq_id: pointers.address, logits: outputs.address },
    };
  }

  setSequence(index: number, sequence: number): void {
    this.#sequences[index] = this.#firstSequence + 4n * BigInt(sequence);
  }

  /** The first tokens as a batch. */
  tokenBatch(count: number): Batch {
    return { ...this.#addresses, n_tokens: count, embd: null };
  }

  /** The first embeddings as a batch. */
  rowBatch(count: number): Batch {
    return { ...this.#addresses, n_tokens: count, token: null };
  }

  free(): void {
    this.#free();
  }
}
