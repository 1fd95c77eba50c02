import type { PictureRequest } from "./requests.ts";

/** What a block has in it. */
export interface NamedBlock {
  readonly parent: number | undefined;
  readonly tokens: Uint32Array;
  /** Ids of the pictures whose placeholders are in it. */
  readonly pictures: readonly string[];
}

/**
 * Names blocks with numbers in place of an engine's sequence hashes: blocks have the same name if their tokens and
 * pictures, and all before them, are the same.
 */
export class PictureBlockNames {
  readonly blockSize: number;
  readonly #numbers = new Map<string, number>();
  readonly #blocks: NamedBlock[] = [];
  readonly #named = new Map<PictureRequest, readonly number[]>();

  constructor(blockSize: number) {
    this.blockSize = blockSize;
  }

  /** The names of a request's whole blocks, with those of its answer. */
  namesOf(request: PictureRequest): readonly number[] {
    const known = this.#named.get(request) ?? this.#name(request);
    this.#named.set(request, known);
    return known;
  }

  blockOf(name: number): NamedBlock {
    return this.#blocks[name]!;
  }

  /** The request has ended. */
  forget(request: PictureRequest): void {
    this.#named.delete(request);
  }

  #name({ tokens, pictures }: PictureRequest): number[] {
    const names: number[] = [];
    for (let from = 0; from + this.blockSize <= tokens.length; from += this.blockSize) {
      const to = from + this.blockSize;
      const own = pictures.filter(({ offset, tokens: length }) => offset < to && offset + length > from);
      const block = {
        parent: names.at(-1),
        tokens: tokens.subarray(from, to),
        pictures: own.map(({ id }) => id),
      };
      names.push(this.#numberOf(block));
    }
    return names;
  }

  #numberOf(block: NamedBlock): number {
    const key = `${block.parent} ${block.pictures} ${block.tokens}`;
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    this.#numbers.set(key, this.#blocks.length);
    return this.#blocks.push(block) - 1;
  }
}
