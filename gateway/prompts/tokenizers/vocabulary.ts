/** Maps token ids to bytes, for incremental detokenising. */
export interface Vocabulary {
  readonly size: number;
  /** The token's text; undefined if its bytes are not whole characters. */
  text(id: number): string | undefined;
  /** The token's bytes; empty for an id outside the vocabulary. */
  bytes(id: number): Uint8Array;
  /** Whether it is a control token (`<|im_end|>`, …), which is not part of an answer's text. */
  isControl(id: number): boolean;
  /** Ids of the control tokens by text. They split a prompt into parts that are tokenised separately. */
  readonly controlTokens: ReadonlyMap<string, number>;
  /** Length of the longest token in bytes: a text has at least its length in bytes divided by this many tokens. */
  readonly longestTokenBytes: number;
}

export interface VocabularyEntry {
  bytes: Uint8Array;
  control: boolean;
}

const NO_BYTES = new Uint8Array(0);

/** Builds a vocabulary from each token's bytes, in the order of their ids. */
export function createVocabulary(pieces: readonly VocabularyEntry[]): Vocabulary {
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
