import { isRecord } from "../kernel/json.ts";
import type { Medium } from "../media/medium.ts";
import type { Message } from "./conversation.ts";

/** A medium in a prompt. */
export interface PromptMedium {
  readonly medium: Medium;
  /** By which caches know it: equal for equal content, and different for any other. */
  readonly identity: string;
  /** Whether the engine knows it by that, so that its KV events have it. */
  readonly isExact: boolean;
}

/** The media in a body, by the names that stand in it for their data. */
export type PromptMedia = ReadonlyMap<string, PromptMedium>;

export const NO_PROMPT_MEDIA: PromptMedia = new Map();

/** A content part of a message that is a medium, or would be if its data were known. */
export interface MediaPart {
  readonly kind: "image" | "video" | "audio";
  /** Undefined if it was not read. */
  readonly medium: PromptMedium | undefined;
}

/** The media in a chat's messages, in their order. */
export const mediaPartsIn = (messages: readonly Message[], media: PromptMedia): MediaPart[] =>
  messages.flatMap(({ content }) =>
    (Array.isArray(content) ? content : []).flatMap((part) => partOf(part, media)),
  );

function partOf(part: unknown, media: PromptMedia): MediaPart[] {
  const kind = mediaKindOf(part);
  return kind === undefined ? [] : [{ kind, medium: mediumIn(part, media) }];
}

/** OpenAI's `image_url`, `input_image`, `input_audio`, …, Anthropic's `image`; vLLM also takes parts without a type. */
const MEDIA = /^(?:input_)?(image|video|audio)/;

/** The kind of medium that a content part is; undefined for text. */
export function mediaKindOf(part: unknown): "image" | "video" | "audio" | undefined {
  if (!isRecord(part)) return undefined;
  const names = typeof part.type === "string" ? [part.type] : Object.keys(part);
  const kind = names.map((name) => MEDIA.exec(name)?.[1]).find((found) => found !== undefined);
  return kind === "image" || kind === "video" || kind === "audio" ? kind : undefined;
}

/** The medium whose name is in the part, alone or in a data: URL. */
const mediumIn = (part: unknown, media: PromptMedia): PromptMedium | undefined =>
  textIn(part, (text) => media.get(text.replace(/^data:[^,]*,/, "")));

/** What `find` finds for the first text at any depth of a value for which it finds anything. */
export function textIn<Found>(value: unknown, find: (text: string) => Found | undefined): Found | undefined {
  if (typeof value === "string") return find(value);
  if (typeof value !== "object" || value === null) return undefined;
  for (const inner of Object.values(value)) {
    const found = textIn(inner, find);
    if (found !== undefined) return found;
  }
  return undefined;
}
