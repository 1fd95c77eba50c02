import type { ModelCard } from "#runtime";
import { joinTokens } from "../../kernel/bytes.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** A model's tokenizer in the gateway. */
export interface Tokenizer {
  readonly vocabulary: Vocabulary;
  /** Tokenizes `text` without adding tokens. Texts of control tokens become those tokens. */
  encode(text: string): Promise<Uint32Array>;
}

/** Tokenises a text without adding tokens: the engine's tokenizer, a native library, or a portable one. */
export type Encoder = (text: string) => Promise<Uint32Array>;

export interface TokenizerOptions {
  /** Limit of the cache in bytes. Default 32 MiB. */
  cacheBytes?: number;
  /**
   * Whether a text can be tokenised in parts that begin at control tokens, because the tokens of a part do not depend
   * on the preceding text. True for all but a few SentencePiece models. Default true.
   */
  splitsAtControlTokens?: boolean;
}

/**
 * A tokenizer that caches parts of prompts. A prompt is cut before each control token (in a chat: at each message), and
 * each part is tokenised once, so that only the new part of a conversation or after a shared system prompt costs time.
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
      return joinTokens(await Promise.all(parts.map(encodePart)));
    },
  };
}

function controlTokenPattern(vocabulary: Vocabulary): RegExp | undefined {
  const texts = [...vocabulary.controlTokens.keys()].sort((a, b) => b.length - a.length);
  if (texts.length === 0) return undefined;
  return new RegExp(texts.map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|"), "g");
}

/** Splits `text` before each match of `pattern`. */
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

/** An LRU cache of parts. Concurrent calls share parts that are still being tokenised. */
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
    // Two bytes per UTF-16 unit, at most four bytes per token of at least one unit, and the map's overhead.
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

/** Prepends the beginning-of-sequence token if the model needs one and the prompt has none. */
export function withBos(tokens: Uint32Array, card: ModelCard): Uint32Array {
  const bos = card.bosTokenId;
  if (!card.addBos || bos === undefined || tokens[0] === bos) return tokens;
  const all = new Uint32Array(tokens.length + 1);
  all[0] = bos;
  all.set(tokens, 1);
  return all;
}
