import type { KvStoredEvent } from "./types.ts";

/**
 * vLLM's `extra_keys`: for each block null, or what distinguishes it besides its tokens. In order: the LoRA adapter's
 * name, a pair `[identifier, offset]` for each medium in the block, and, in a sequence's first block, the cache salt.
 * Name and salt are both bare strings; the one equal to the event's `lora_name` is the name.
 */
export type ExtraKeys = Pick<KvStoredEvent, "mediaIds" | "cacheSalt">;

/** Reads `extra_keys`, skipping unknown entries (embeddings' hashes, as bytes). */
export function readExtraKeys(wire: unknown, loraName: string | undefined): ExtraKeys {
  if (!Array.isArray(wire)) return {};
  const blocks: unknown[][] = wire.map((keys) => (Array.isArray(keys) ? keys : []));
  const mediaIds = blocks.map(mediaOf);
  const cacheSalt = blocks.map((keys) => saltOf(keys, loraName)).find((salt) => salt !== undefined);
  return {
    ...(mediaIds.some((ids) => ids !== undefined) && { mediaIds }),
    ...(cacheSalt !== undefined && { cacheSalt }),
  };
}

/** Writes the `extra_keys` of a stored event. Events do not keep media offsets, so they are 0. */
export function writeExtraKeys(event: KvStoredEvent): unknown[] {
  const { loraName, mediaIds, cacheSalt } = event;
  return Array.from(event.blockHashes, (_, index) => {
    const media = mediaIds?.[index] ?? [];
    const keys = [
      ...(loraName === undefined ? [] : [loraName]),
      ...media.map((identifier) => [identifier, 0]),
      ...(cacheSalt === undefined || index > 0 ? [] : [cacheSalt]),
    ];
    return keys.length > 0 ? keys : null;
  });
}

function mediaOf(keys: readonly unknown[]): string[] | undefined {
  const ids = keys.flatMap((key) => (Array.isArray(key) && typeof key[0] === "string" ? [key[0]] : []));
  return ids.length > 0 ? ids : undefined;
}

function saltOf(keys: readonly unknown[], loraName: string | undefined): string | undefined {
  const strings = keys.filter((key) => typeof key === "string");
  const name = loraName === undefined ? -1 : strings.indexOf(loraName);
  return strings.find((_, index) => index !== name);
}
