import { isRecord } from "../kernel/json.ts";
import type { MediaTokens } from "../media/tokens/index.ts";
import type { PlacedMedia, Prompt } from "../routing/prompt.ts";
import { joinTokens } from "./join-tokens.ts";
import type { MediaPart } from "./prompt-media.ts";

/** How a model's prompts have media. */
export interface MediaPlaces {
  /** Token ids that a chat template inserts for media. */
  readonly placeholders: ReadonlySet<number>;
  /** How many tokens the engine makes of each; undefined for a family that is not known. */
  readonly tokens: MediaTokens | undefined;
}

export const NO_PLACES: MediaPlaces = { placeholders: new Set(), tokens: undefined };

/**
 * The prompt as the engine computes it: with as many placeholders for each medium as it has tokens there.
 * @param tokens with the one placeholder of each medium that the chat template inserts
 * @param parts the conversation's media, in the order of their placeholders
 */
export function placeMedia(
  tokens: Uint32Array,
  parts: readonly MediaPart[],
  { placeholders, tokens: family }: MediaPlaces,
): Prompt {
  const places = placesIn(tokens, placeholders);
  if (places.length !== parts.length) return { tokens, media: [], isExact: false };
  const pieces: Uint32Array[] = [];
  const media: PlacedMedia[] = [];
  let isExact = true;
  let from = 0;
  let length = 0;
  const take = (piece: Uint32Array) => {
    pieces.push(piece);
    length += piece.length;
  };
  for (const [index, at] of places.entries()) {
    const { kind, medium } = parts[index]!;
    take(tokens.subarray(from, at));
    from = at + 1;
    const info = medium?.medium.info;
    const isMeant = info !== undefined && family?.placeholder(kind) === tokens[at];
    const expansion = isMeant ? family?.expand(kind, info) : undefined;
    isExact &&= expansion !== undefined && medium?.isExact === true;
    const { tokens: own, offset, length: covered } = expansion ?? single(tokens[at]!);
    if (medium !== undefined)
      media.push({ identity: medium.identity, offset: length + offset, length: covered });
    take(own);
  }
  take(tokens.subarray(from));
  return { tokens: joinTokens(pieces, length), media, isExact: isExact && media.length === parts.length };
}

const single = (token: number) => ({ tokens: Uint32Array.of(token), offset: 0, length: 1 });

/** Where the placeholders are. */
function placesIn(tokens: Uint32Array, placeholders: ReadonlySet<number>): number[] {
  const places: number[] = [];
  for (const [index, token] of tokens.entries()) if (placeholders.has(token)) places.push(index);
  return places;
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
