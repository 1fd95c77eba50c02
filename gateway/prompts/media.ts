import { isRecord } from "../kernel/json.ts";
import type { PlacedMedia } from "../routing/prompt.ts";
import type { PromptBody, PromptKind } from "./prompt-reader.ts";

/** Content parts with an image, video or audio input, in the order of the conversation. */
export function mediaParts(kind: PromptKind, body: PromptBody): Record<string, unknown>[] {
  if (kind === "responses") return partsIn(body.input);
  return kind === "chat" || kind === "messages" ? partsIn(body.messages) : [];
}

/** OpenAI's `image_url`, `input_image`, `input_audio`, …, Anthropic's `image`; vLLM also takes parts without a type. */
const MEDIA = /^(?:input_)?(?:image|video|audio)/;

function partsIn(list: unknown): Record<string, unknown>[] {
  if (!Array.isArray(list)) return [];
  return list.filter(isRecord).flatMap((each) => {
    const { type } = each;
    if (typeof type === "string" ? MEDIA.test(type) : Object.keys(each).some((key) => MEDIA.test(key)))
      return [each];
    return partsIn(each.content);
  });
}

/** Identifies the part: SHA-256 of its JSON, as 64 hexadecimal digits. */
async function identityOf(part: Record<string, unknown>): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(JSON.stringify(part)));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Assigns each media part its run of placeholder tokens.
 * @param placeholders token ids that a chat template or an engine inserts for media
 * @returns undefined unless there are as many runs as parts
 */
export async function placeMedia(
  tokens: Uint32Array,
  parts: readonly Record<string, unknown>[],
  placeholders: ReadonlySet<number>,
): Promise<PlacedMedia[] | undefined> {
  const runs: { offset: number; length: number }[] = [];
  for (let index = 0; index < tokens.length; index++) {
    const token = tokens[index]!;
    if (!placeholders.has(token)) continue;
    const offset = index;
    while (tokens[index + 1] === token) index++;
    runs.push({ offset, length: index + 1 - offset });
  }
  if (runs.length !== parts.length) return undefined;
  const identities = await Promise.all(parts.map(identityOf));
  return runs.map((run, index) => ({ identity: identities[index]!, ...run }));
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
