/** A part of what a medium becomes in a prompt. */
export type MediumPart = TextPart | RowsPart;

/** Tokens that a model has around its media. */
export interface TextPart {
  readonly kind: "text";
  readonly tokens: Int32Array;
}

/** Embeddings in the place of tokens. */
export interface RowsPart {
  readonly kind: "rows";
  readonly count: number;
  /** How many positions of the prompt they take: with M-RoPE, fewer than there are rows. */
  readonly positions: number;
  /** Whether a row sees only those before it. */
  readonly isCausal: boolean;
  /** Where the rows are in the medium; absent if one comes after the other. */
  readonly places?: Places;
  /** `count` rows, as wide as the model's. */
  readonly embeddings: Float32Array;
}

/** Positions in four dimensions: time, height, width, and one that is not in use. */
export interface Places {
  /** All rows' of one dimension, then those of the next one. */
  readonly values: Int32Array;
  /** For each dimension, 1 if the medium's own position is added to it, and 0 if not. */
  readonly shifts: Int32Array;
}

export const DIMENSIONS = 4;

/** How many tokens of a prompt a part counts for. */
export const tokensIn = (part: MediumPart): number =>
  part.kind === "text" ? part.tokens.length : part.count;

/** How many positions of a prompt a part takes. */
export const positionsIn = (part: MediumPart): number =>
  part.kind === "text" ? part.tokens.length : part.positions;

/** u32s before each part: what it is, `count`, `positions`. */
const HEADER = 3;
const TEXT = 0;
const ROWS = 1;
const NON_CAUSAL = 2;
const PLACED = 4;

/**
 * Writes what a projector has made of a medium as it travels between workers. All numbers have 4 bytes, as the machine orders
 * them: u32 how many parts, u32 the embeddings' width; then for each part a header, and its tokens, or its places; then all
 * embeddings.
 */
export function packParts(parts: readonly MediumPart[], width: number): Uint8Array {
  const numbers = [parts.length, width];
  let floats = 0;
  for (const part of parts) {
    if (part.kind === "text") {
      numbers.push(TEXT, part.tokens.length, part.tokens.length, ...part.tokens);
      continue;
    }
    const { count, positions, isCausal, places } = part;
    numbers.push(ROWS | (isCausal ? 0 : NON_CAUSAL) | (places ? PLACED : 0), count, positions);
    if (places !== undefined) numbers.push(...places.shifts, ...places.values);
    floats += part.embeddings.length;
  }
  const packed = new ArrayBuffer((numbers.length + floats) * 4);
  new Int32Array(packed).set(numbers);
  let at = numbers.length;
  for (const part of parts) {
    if (part.kind === "text") continue;
    new Float32Array(packed).set(part.embeddings, at);
    at += part.embeddings.length;
  }
  return new Uint8Array(packed);
}

/**
 * Reads what `packParts` wrote.
 * @param width of the model's embeddings
 * @param vocabularySize how many tokens the model has
 * @throws Error if the bytes are something else, or for another model
 */
export function unpackParts(bytes: Uint8Array, width: number, vocabularySize: number): MediumPart[] {
  if (bytes.length % 4 !== 0) throw new UnusableFeaturesError();
  // A copy, because numbers must be aligned.
  const { buffer } = new Uint8Array(bytes);
  const numbers = new Int32Array(buffer);
  let at = 0;
  const take = (count: number): Int32Array => {
    if (count < 0 || at + count > numbers.length) throw new UnusableFeaturesError();
    at += count;
    return numbers.subarray(at - count, at);
  };
  const [count, itsWidth] = take(2);
  if (itsWidth !== width || count! < 1 || count! > numbers.length) throw new UnusableFeaturesError();
  const unfilled = Array.from({ length: count! }, (): MediumPart => {
    const [kind, length, positions] = take(HEADER);
    if (length! < 1 || positions! < 1 || positions! > length!) throw new UnusableFeaturesError();
    if (kind === TEXT) return { kind: "text", tokens: checkTokens(take(length!), vocabularySize) };
    if ((kind! & ROWS) === 0) throw new UnusableFeaturesError();
    return {
      ...{ kind: "rows", count: length!, positions: positions!, isCausal: (kind! & NON_CAUSAL) === 0 },
      ...((kind! & PLACED) !== 0 && {
        places: { shifts: take(DIMENSIONS), values: take(DIMENSIONS * length!) },
      }),
      embeddings: new Float32Array(),
    };
  });
  const parts = unfilled.map((part): MediumPart => {
    if (part.kind === "text") return part;
    const { byteOffset, length } = take(part.count * width);
    return { ...part, embeddings: new Float32Array(buffer, byteOffset, length) };
  });
  if (at !== numbers.length) throw new UnusableFeaturesError();
  return parts;
}

class UnusableFeaturesError extends Error {
  override name = "UnusableFeaturesError";

  constructor() {
    super("The features of a medium are incomplete, or not this model's.");
  }
}

function checkTokens(tokens: Int32Array, vocabularySize: number): Int32Array {
  if (tokens.some((token) => token < 0 || token >= vocabularySize)) throw new UnusableFeaturesError();
  return tokens;
}
