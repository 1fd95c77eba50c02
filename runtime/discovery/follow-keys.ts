import type { Discovery, JsonValue, Watch } from "./types.ts";

/** Receives the entries under a prefix, one by one. */
export interface KeyListener {
  /** The entry is new, has changed, or was in a snapshot although it has not changed. */
  onPut(key: string, value: JsonValue): void;
  onDelete(key: string): void;
}

/**
 * Follows the entries under a prefix. Of a snapshot, the listener gets every entry, after the keys that are gone since.
 * @returns the watch, once the listener has the current entries
 */
export function followKeys(
  discovery: Discovery,
  prefix: string,
  { onPut, onDelete }: KeyListener,
): Promise<Watch> {
  let known = new Set<string>();
  return discovery.watch(prefix, (event) => {
    if (event.type === "snapshot") {
      const before = known;
      known = new Set(event.entries.keys());
      for (const key of before) if (!known.has(key)) onDelete(key);
      for (const [key, value] of event.entries) onPut(key, value);
    } else if (event.type === "put") {
      known.add(event.key);
      onPut(event.key, event.value);
    } else {
      known.delete(event.key);
      onDelete(event.key);
    }
  });
}
