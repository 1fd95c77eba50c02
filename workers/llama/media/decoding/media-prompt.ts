import { createHash } from "node:crypto";
import type { EngineMedium, EngineRequest } from "../../../engine.ts";
import type { SlotPrompt } from "../../sequence-pool.ts";
import { type MediumPart, positionsIn, tokensIn } from "../medium-parts.ts";

/** What has KV in a sequence: a token, or a whole medium by its content. */
export type Unit = number | string;

/** How much room a medium takes. */
export interface MediumSize {
  /** Tokens of the prompt. */
  readonly tokens: number;
  /** Positions of the prompt. */
  readonly positions: number;
}

/** A prompt with media. */
export interface MediaPrompt extends SlotPrompt<Unit> {
  readonly tokens: Unit[];
  /** In their order, by their places in `tokens`. */
  readonly media: ReadonlyMap<number, EngineMedium>;
}

export function mediaPromptOf({
  tokens,
  media = [],
  cacheSalt,
  sharedTokens = 0,
}: EngineRequest): MediaPrompt {
  const units: Unit[] = [];
  const placed = new Map<number, EngineMedium>();
  let from = 0;
  for (const medium of media) {
    for (const token of tokens.subarray(from, medium.position)) units.push(token);
    from = Math.max(from, medium.position);
    placed.set(units.length, medium);
    units.push(`${medium.kind} ${createHash("sha256").update(medium.data).digest("base64")}`);
  }
  for (const token of tokens.subarray(from)) units.push(token);
  // What prompts share is text before all media.
  const shared = Math.min(sharedTokens, media[0]?.position ?? tokens.length);
  return { tokens: units, media: placed, cacheSalt, sharedTokens: shared };
}

export const sizeOf = (parts: readonly MediumPart[]): MediumSize => ({
  tokens: parts.reduce((sum, part) => sum + tokensIn(part), 0),
  positions: parts.reduce((sum, part) => sum + positionsIn(part), 0),
});

/** How much room the first units take. @param sizes of the media among them */
export function roomOf(units: readonly Unit[], sizes: ReadonlyMap<Unit, MediumSize>): MediumSize {
  let [tokens, positions] = [0, 0];
  for (const unit of units) {
    const size = typeof unit === "string" ? sizes.get(unit) : undefined;
    tokens += size?.tokens ?? 1;
    positions += size?.positions ?? 1;
  }
  return { tokens, positions };
}

/** How many of the first units lie wholly before a position. */
export function unitsBefore(
  position: number,
  units: readonly Unit[],
  sizes: ReadonlyMap<Unit, MediumSize>,
): number {
  let end = 0;
  for (const [index, unit] of units.entries()) {
    end += (typeof unit === "string" ? sizes.get(unit)?.positions : 1) ?? 1;
    if (end > position) return index;
  }
  return units.length;
}
