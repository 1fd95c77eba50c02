import type { Pointer } from "../native/foreign.ts";
import type { NativeContext } from "./native-context.ts";

/** The log probability of a token, and the most probable ones. */
export interface TokenLikelihood {
  readonly logprob: number;
  /** Best first. */
  readonly top: readonly (readonly [tokenId: number, logprob: number])[];
}

/** `llama_token_data`: int32 id, float logit, float probability. */
const FIELDS = 3;
/** `llama_token_data_array`: pointer, size_t size, int64 selected, bool sorted. */
const ARRAY_BYTES = 32;
const [DATA, SIZE, SELECTED, SORTED] = [0, 8, 16, 24];

/** A vocabulary's tokens with their logits, in memory of C's, from which samplers choose. */
export class TokenCandidates {
  /** Of a `llama_token_data_array`. */
  readonly pointer: Pointer;
  readonly #array: DataView;
  readonly #ids: Int32Array;
  readonly #logits: Float32Array;
  readonly #address: bigint;
  readonly #free: () => void;

  constructor({ foreign: { koffi }, vocabularySize }: NativeContext) {
    const data = koffi.alloc("int32", vocabularySize * FIELDS);
    const memory = koffi.view(data, vocabularySize * FIELDS * 4);
    this.#ids = new Int32Array(memory);
    this.#logits = new Float32Array(memory);
    this.#address = koffi.address(data);
    this.pointer = koffi.alloc("uint64", ARRAY_BYTES / 8);
    this.#array = new DataView(koffi.view(this.pointer, ARRAY_BYTES));
    this.#free = () => {
      for (const pointer of [data, this.pointer]) koffi.free(pointer);
    };
  }

  free(): void {
    this.#free();
  }

  fill(logits: Float32Array): void {
    for (let id = 0; id < logits.length; id++) this.#set(id, id, logits[id]!);
    this.#begin(logits.length);
  }

  /** Makes a token the only one. */
  fillWith(id: number): void {
    this.#set(0, id, 0);
    this.#begin(1);
  }

  /** Whether samplers have left the first one possible. */
  get isFirstPossible(): boolean {
    return this.#logits[1] !== Number.NEGATIVE_INFINITY;
  }

  /**
   * The token that was chosen, by the softmax of the logits that samplers have left: after temperature, penalties and bias, as
   * other prompts' answers have them.
   * @throws Error if samplers have left none
   */
  chosen(count: number): { readonly id: number } & TokenLikelihood {
    if (this.#array.getBigUint64(DATA, true) !== this.#address)
      throw new Error("A sampler of llama.cpp has moved its candidates.");
    const size = Number(this.#array.getBigUint64(SIZE, true));
    const logitAt = (index: number) => this.#logits[index * FIELDS + 1]!;
    const idAt = (index: number) => this.#ids[index * FIELDS]!;
    let most = Number.NEGATIVE_INFINITY;
    for (let index = 0; index < size; index++) most = Math.max(most, logitAt(index));
    let sum = 0;
    for (let index = 0; index < size; index++) sum += Math.exp(logitAt(index) - most);
    const total = most + Math.log(sum);
    const best: number[] = [];
    for (let index = 0; count > 0 && index < size; index++) {
      const logit = logitAt(index);
      if (logit === Number.NEGATIVE_INFINITY) continue;
      if (best.length === count && logit <= logitAt(best.at(-1)!)) continue;
      const place = best.findIndex((other) => logitAt(other) < logit);
      best.splice(place === -1 ? best.length : place, 0, index);
      if (best.length > count) best.pop();
    }
    const selected = Number(this.#array.getBigInt64(SELECTED, true));
    if (selected < 0 || logitAt(selected) === Number.NEGATIVE_INFINITY)
      throw new Error("No token of the model is possible here.");
    return {
      id: idAt(selected),
      logprob: logitAt(selected) - total,
      top: best.map((index) => [idAt(index), logitAt(index) - total]),
    };
  }

  #set(index: number, id: number, logit: number): void {
    const at = index * FIELDS;
    this.#ids[at] = id;
    this.#logits[at + 1] = logit;
    this.#logits[at + 2] = 0;
  }

  #begin(count: number): void {
    this.#array.setBigUint64(DATA, this.#address, true);
    this.#array.setBigUint64(SIZE, BigInt(count), true);
    this.#array.setBigInt64(SELECTED, -1n, true);
    this.#array.setBigUint64(SORTED, 0n, true);
  }
}
