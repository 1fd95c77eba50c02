/** Token ids to bytes: what incremental detokenising needs of a tokenizer. */
export interface Vocabulary {
  readonly size: number;
  /** The token's text where its bytes are whole characters; undefined where they are part of one. */
  text(id: number): string | undefined;
  /** The token's bytes; empty for an id outside the vocabulary. */
  bytes(id: number): Uint8Array;
  /** Control tokens (`<|im_end|>`, …) are not part of an answer's text. */
  isControl(id: number): boolean;
  /** Texts of the control tokens, by id. They split a prompt into parts that are tokenised apart. */
  readonly controlTokens: ReadonlyMap<string, number>;
  /** Length of the longest token in bytes: no text has fewer tokens than its bytes divided by this. */
  readonly longestTokenBytes: number;
}

export interface TokenPiece {
  bytes: Uint8Array;
  control: boolean;
}

const NO_BYTES = new Uint8Array(0);

/** Builds a vocabulary from each token's bytes, in the order of their ids. */
export function createVocabulary(pieces: readonly TokenPiece[]): Vocabulary {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const lenient = new TextDecoder();
  const controlTokens = new Map<string, number>();
  let longestTokenBytes = 1;
  const texts = pieces.map((piece, id): string | undefined => {
    longestTokenBytes = Math.max(longestTokenBytes, piece.bytes.length);
    if (piece.control && piece.bytes.length > 0) controlTokens.set(lenient.decode(piece.bytes), id);
    try {
      return decoder.decode(piece.bytes);
    } catch {
      return undefined;
    }
  });
  return {
    size: pieces.length,
    text: (id) => texts[id],
    bytes: (id) => pieces[id]?.bytes ?? NO_BYTES,
    isControl: (id) => pieces[id]?.control ?? true,
    controlTokens,
    longestTokenBytes,
  };
}
