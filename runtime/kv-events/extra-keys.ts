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

/**
 * SGLang also states the salt by itself: in a field `cache_salt`, or in `metadata`, which is the last element of an array
 * (pull request 30827). It does so in all events of a sequence; only the first block has the salt here, as in vLLM's.
 * @param isFirst whether the event is that of a sequence's first blocks
 */
export function withStatedSalt(
  keys: ExtraKeys,
  { cache_salt: field, metadata }: Readonly<Record<string, unknown>>,
  isFirst: boolean,
): ExtraKeys {
  const inMetadata =
    typeof metadata === "object" && metadata !== null && "cache_salt" in metadata
      ? metadata.cache_salt
      : undefined;
  const stated = field ?? inMetadata;
  if (typeof stated !== "string" || stated === "") return keys;
  const { cacheSalt: _, ...others } = keys;
  return isFirst ? { ...others, cacheSalt: stated } : others;
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
