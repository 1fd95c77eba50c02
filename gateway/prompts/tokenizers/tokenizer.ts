import type { ModelCard } from "#runtime";
import type { Vocabulary } from "./vocabulary.ts";

/** A model's tokenizer, as the gateway uses it. */
export interface Tokenizer {
  readonly vocabulary: Vocabulary;
  /** Token ids of `text`. Texts of control tokens become those tokens; nothing is added around them. */
  encode(text: string): Promise<Uint32Array>;
}

/** Tokenises a text on its own: the engine's own tokenizer, a native library, or a portable one. */
export type Encoder = (text: string) => Promise<Uint32Array>;

export interface TokenizerOptions {
  /** Bound of the prefix cache in bytes. Default 32 MiB. */
  cacheBytes?: number;
  /**
   * Whether a text may be tokenised in parts that begin at its control tokens. True wherever tokenising does
   * not depend on what stands before a control token, which holds for all but a few SentencePiece models.
   */
  splitsAtControlTokens?: boolean;
}

/**
 * A tokenizer that remembers the parts of prompts. A prompt is cut before each control token (in a chat: at
 * each message), and each part is tokenised once; so a conversation's next turn, or a system prompt that many
 * requests share, costs only its new part.
 */
export function createTokenizer(
  vocabulary: Vocabulary,
  encoder: Encoder,
  options: TokenizerOptions = {},
): Tokenizer {
  const cache = new PartCache(options.cacheBytes ?? 32 * 1024 * 1024);
  const boundary = options.splitsAtControlTokens === false ? undefined : controlTokenPattern(vocabulary);

  const encodePart = (part: string): Promise<Uint32Array> => {
    const known = cache.get(part);
    if (known !== undefined) return known;
    const tokens = encoder(part);
    cache.add(part, tokens);
    return tokens;
  };

  return {
    vocabulary,
    async encode(text) {
      if (text === "") return new Uint32Array(0);
      const parts = boundary === undefined ? [text] : splitBefore(text, boundary);
      if (parts.length === 1) return encodePart(text);
      return concatenate(await Promise.all(parts.map(encodePart)));
    },
  };
}

function controlTokenPattern(vocabulary: Vocabulary): RegExp | undefined {
  const texts = [...vocabulary.controlTokens.keys()].sort((a, b) => b.length - a.length);
  if (texts.length === 0) return undefined;
  return new RegExp(texts.map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|"), "g");
}

/** The parts of `text`, each but the first beginning with a match of `pattern`. */
function splitBefore(text: string, pattern: RegExp): string[] {
  const parts: string[] = [];
  let start = 0;
  for (const match of text.matchAll(pattern)) {
    if (match.index > start) {
      parts.push(text.slice(start, match.index));
      start = match.index;
    }
  }
  parts.push(text.slice(start));
  return parts;
}

function concatenate(arrays: readonly Uint32Array[]): Uint32Array {
  const all = new Uint32Array(arrays.reduce((sum, array) => sum + array.length, 0));
  let offset = 0;
  for (const array of arrays) {
    all.set(array, offset);
    offset += array.length;
  }
  return all;
}

/** Least-recently-used parts. Parts that are being tokenised are shared by all who wait for them. */
class PartCache {
  readonly #entries = new Map<string, { tokens: Promise<Uint32Array>; bytes: number }>();
  readonly #limit: number;
  #bytes = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get(part: string): Promise<Uint32Array> | undefined {
    const entry = this.#entries.get(part);
    if (entry === undefined) return undefined;
    this.#entries.delete(part);
    this.#entries.set(part, entry);
    return entry.tokens;
  }

  add(part: string, tokens: Promise<Uint32Array>): void {
    // Two bytes a UTF-16 unit, at most four bytes a token of at least one unit, and the map's own share.
    const bytes = part.length * 6 + 128;
    if (bytes > this.#limit / 4) return;
    this.#entries.set(part, { tokens, bytes });
    this.#bytes += bytes;
    tokens.catch(() => this.#remove(part));
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#limit) break;
      this.#remove(oldest);
    }
  }

  #remove(part: string): void {
    const entry = this.#entries.get(part);
    if (entry === undefined) return;
    this.#entries.delete(part);
    this.#bytes -= entry.bytes;
  }
}

/** The prompt with the beginning-of-sequence token in front, where the model wants one and has none yet. */
export function withBos(tokens: Uint32Array, card: ModelCard): Uint32Array {
  const bos = card.bosTokenId;
  if (!card.addBos || bos === undefined || tokens[0] === bos) return tokens;
  const all = new Uint32Array(tokens.length + 1);
  all[0] = bos;
  all.set(tokens, 1);
  return all;
}
