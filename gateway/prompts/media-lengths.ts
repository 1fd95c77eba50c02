import { joinTokens } from "../kernel/bytes.ts";
import type { MediaInfo } from "../media/inspect/index.ts";
import type { PlacedMedia, Prompt } from "../routing/prompt.ts";
import { STAND_INS } from "./media-stand-ins.ts";
import type { MediaPart, PromptMedium } from "./prompt-media.ts";

/** Tokenizes a chat whose only message has these content parts. @throws if the engine cannot */
export type TokenizeParts = (parts: readonly object[]) => Promise<Uint32Array>;

type Kind = keyof typeof STAND_INS;

/** How an engine writes the media of one kind: so many of one token. */
interface Writing {
  readonly token: number;
  /** Tokens of the stand-in. */
  readonly length: number;
}

/** How many shapes are remembered. Clients choose them, so this is bounded. */
const MOST_SHAPES = 10_000;

/**
 * How many tokens a model makes of media, learned from its engine. A chat is tokenized with small stand-ins, so that no
 * picture travels twice; how long one is in their place is asked once for each shape.
 */
export class MediaLengths {
  readonly #tokenize: TokenizeParts;
  readonly #writings = new Map<Kind, Promise<Writing | undefined>>();
  /** Oldest first. */
  readonly #lengths = new Map<string, Promise<number | undefined>>();

  constructor(tokenize: TokenizeParts) {
    this.#tokenize = tokenize;
  }

  /**
   * Puts as many tokens for each medium as it has in the engine.
   * @param tokens of the conversation with stand-ins
   * @param parts its media, in order
   */
  async place(tokens: Uint32Array, parts: readonly MediaPart[]): Promise<Prompt> {
    const known = await Promise.all(parts.map((part) => this.#measure(part)));
    const writings = await Promise.all([...this.#writings.values()]);
    const placeholders = new Set(writings.flatMap((writing) => (writing ? [writing.token] : [])));
    const pieces: Uint32Array[] = [];
    const media: PlacedMedia[] = [];
    let isExact = true;
    let length = 0;
    let from = 0;
    let index = 0;
    for (let at = 0; at < tokens.length; at++) {
      const token = tokens[at]!;
      if (!placeholders.has(token)) continue;
      const found = known[index++];
      const end = found === undefined ? at : at + found.writing.length;
      // Text that looks like a placeholder, or media without anything between them.
      if (found?.writing.token !== token || !isRun(tokens, at, end)) return inexact(tokens);
      pieces.push(tokens.subarray(from, at), new Uint32Array(found.length).fill(token));
      length += at - from;
      media.push({ identity: found.medium.identity, offset: length, length: found.length });
      isExact &&= found.medium.isExact;
      length += found.length;
      from = end;
      at = end - 1;
    }
    if (index !== parts.length) return inexact(tokens);
    pieces.push(tokens.subarray(from));
    return { tokens: joinTokens(pieces), media, isExact };
  }

  async #measure({ kind, medium }: MediaPart) {
    if (medium === undefined) return undefined;
    const writing = await this.#writingOf(kind);
    if (writing === undefined) return undefined;
    const length = await this.#lengthOf(kind, medium, writing);
    return length === undefined ? undefined : { medium, writing, length };
  }

  #writingOf(kind: Kind): Promise<Writing | undefined> {
    const known = this.#writings.get(kind) ?? this.#learn(kind);
    this.#writings.set(kind, known);
    known.catch(() => this.#writings.delete(kind));
    return known;
  }

  /** Compares two stand-ins: what the larger one has more of is the placeholder. */
  async #learn(kind: Kind): Promise<Writing | undefined> {
    const [small, large] = STAND_INS[kind];
    const [fewer, more] = await Promise.all([small, large].map((url) => this.#tokenize([partOf(kind, url)])));
    const token = placeholderIn(fewer!, more!);
    if (token === undefined) return undefined;
    const [length, ...others] = runsOf(fewer!, token);
    return length === undefined || others.length > 0 ? undefined : { token, length };
  }

  #lengthOf(kind: Kind, { medium, identity }: PromptMedium, { token }: Writing): Promise<number | undefined> {
    const key = `${kind} ${shapeOf(medium.info) ?? identity}`;
    const known = this.#lengths.get(key) ?? this.#ask(kind, medium.dataUrl(), token);
    this.#lengths.delete(key);
    this.#lengths.set(key, known);
    known.catch(() => this.#lengths.delete(key));
    if (this.#lengths.size > MOST_SHAPES) this.#lengths.delete(this.#lengths.keys().next().value ?? "");
    return known;
  }

  async #ask(kind: Kind, url: string, token: number): Promise<number | undefined> {
    const [length, ...others] = runsOf(await this.#tokenize([partOf(kind, url)]), token);
    return others.length > 0 ? undefined : length;
  }
}

/** A content part with a stand-in, for a chat that is only tokenized. */
export const standInFor = (kind: Kind): object => partOf(kind, STAND_INS[kind][0]);

const partOf = (kind: Kind, url: string) => ({ type: `${kind}_url`, [`${kind}_url`]: { url } });

/** What decides how many tokens a medium has; undefined if that may be more than its headers tell. */
function shapeOf(info: MediaInfo | undefined): string | undefined {
  if (info?.kind === "image") {
    const { width, height, orientation = 1 } = info;
    return orientation >= 5 ? `${height}x${width}` : `${width}x${height}`;
  }
  if (info?.kind !== "audio" || info.samples === undefined) return undefined;
  return `${info.samples} at ${info.sampleRate}`;
}

/** The token of which one has more than the other; where both are alike, the token that is repeated most in a row. */
function placeholderIn(fewer: Uint32Array, more: Uint32Array): number | undefined {
  let start = 0;
  while (start < fewer.length && fewer[start] === more[start]) start++;
  if (start === more.length) return mostRepeated(more);
  const added = more.subarray(start, start + more.length - fewer.length);
  const token = added[0];
  return added.every((each) => each === token) ? token : undefined;
}

/** Fewer tokens in a row are no medium. */
const SHORTEST_MEDIUM = 16;

function mostRepeated(tokens: Uint32Array): number | undefined {
  let best: number | undefined;
  let longest = SHORTEST_MEDIUM - 1;
  for (let at = 0; at < tokens.length; ) {
    let end = at + 1;
    while (tokens[end] === tokens[at]) end++;
    if (end - at > longest) [best, longest] = [tokens[at], end - at];
    at = end;
  }
  return best;
}

/** Lengths of the runs of a token. */
function runsOf(tokens: Uint32Array, token: number): number[] {
  const runs: number[] = [];
  for (const [at, each] of tokens.entries()) {
    if (each !== token) continue;
    if (at > 0 && tokens[at - 1] === token) runs[runs.length - 1]!++;
    else runs.push(1);
  }
  return runs;
}

/** Whether exactly these tokens are one run. */
function isRun(tokens: Uint32Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (tokens[at] !== tokens[from]) return false;
  return tokens[to] !== tokens[from];
}

const inexact = (tokens: Uint32Array): Prompt => ({ tokens, media: [], isExact: false });
