import { isRecord } from "../kernel/json.ts";
import { expandPrompt, type MediaKind, type MediaTokens } from "../media/tokens/index.ts";
import type { PlacedMedia, Prompt } from "../routing/prompt.ts";
import type { MediaPart } from "./prompt-media.ts";

/** How a model's prompts have media. */
export interface MediaPlaces {
  /** Token ids that a chat template inserts for media. */
  readonly placeholders: ReadonlySet<number>;
  /** What the engine makes of each; undefined for a family that is not known. */
  readonly tokens: MediaTokens | undefined;
  /**
   * Tokenizes the texts that expanding media has asked for since.
   * @returns whether there were any, so that expanding again tells more
   */
  settle(): Promise<boolean>;
}

export const NO_PLACES: MediaPlaces = {
  placeholders: new Set(),
  tokens: undefined,
  settle: async () => false,
};

const KINDS: readonly MediaKind[] = ["image", "audio", "video"];

/** Tokenizes a rendered chat, in which the model's placeholders may be plain text. */
export async function encodeWithPlaceholders(
  text: string,
  encode: (text: string) => Promise<Uint32Array>,
  { tokens }: MediaPlaces,
): Promise<Uint32Array> {
  const written = KINDS.flatMap((kind) => {
    const [token, mark] = [tokens?.placeholder(kind), tokens?.written(kind)];
    return token === undefined || mark === undefined ? [] : [{ token, mark }];
  });
  const [first] = written
    .map((each) => ({ ...each, at: text.indexOf(each.mark) }))
    .filter(({ at }) => at >= 0)
    .sort((one, other) => one.at - other.at);
  if (first === undefined) return encode(text);
  const rest = text.slice(first.at + first.mark.length);
  const [before, after] = await Promise.all([
    encode(text.slice(0, first.at)),
    encodeWithPlaceholders(rest, encode, { ...NO_PLACES, tokens }),
  ]);
  return Uint32Array.from([...before, first.token, ...after]);
}

/**
 * The prompt as the engine computes it: with as many tokens for each medium as it has there.
 * @param tokens with the one placeholder of each medium that the chat template inserts
 * @param parts the conversation's media, in their order
 */
export async function placeMedia(
  tokens: Uint32Array,
  parts: readonly MediaPart[],
  places: MediaPlaces,
): Promise<Prompt> {
  const count = tokens.reduce((sum, token) => sum + (places.placeholders.has(token) ? 1 : 0), 0);
  // Text that looks like a placeholder, or a template that ignores some media.
  if (count !== parts.length) return { tokens, media: [], isExact: false };
  const expanded = expandedIn(tokens, parts, places);
  const again =
    expanded === undefined && (await places.settle()) ? expandedIn(tokens, parts, places) : expanded;
  return again ?? { tokens, media: unexpanded(tokens, parts, places), isExact: false };
}

/** Undefined unless all lengths are known. */
function expandedIn(
  tokens: Uint32Array,
  parts: readonly MediaPart[],
  { tokens: family }: MediaPlaces,
): Prompt | undefined {
  const media = parts.flatMap(({ kind, medium }) => {
    const info = medium?.medium.info;
    return info === undefined ? [] : [{ kind, info }];
  });
  if (family === undefined || media.length !== parts.length) return undefined;
  const { tokens: all, ranges, isComplete } = expandPrompt(family, tokens, media);
  if (!isComplete || ranges.length !== parts.length) return undefined;
  const placed = ranges.map(({ medium, offset, length }) => ({
    identity: parts[medium]!.medium!.identity,
    offset,
    length,
  }));
  return { tokens: all, media: placed, isExact: parts.every(({ medium }) => medium?.isExact === true) };
}

/** Each medium at its placeholder. */
function unexpanded(
  tokens: Uint32Array,
  parts: readonly MediaPart[],
  { placeholders }: MediaPlaces,
): PlacedMedia[] {
  const offsets = Array.from(tokens.keys()).filter((at) => placeholders.has(tokens[at]!));
  return parts.flatMap(({ medium }, index) =>
    medium === undefined ? [] : [{ identity: medium.identity, offset: offsets[index]!, length: 1 }],
  );
}

/** Ids of the placeholder tokens in a model's `config.json`, at any depth: `image_token_id`, `audio_token_index`. */
export function placeholdersIn(config: unknown): Set<number> {
  const found = new Set<number>();
  const look = (value: unknown): void => {
    for (const [key, each] of Object.entries(isRecord(value) ? value : {})) {
      if (/^(?:image|video|audio)_token_(?:id|index)$/.test(key) && typeof each === "number") found.add(each);
      else look(each);
    }
  };
  look(config);
  return found;
}
