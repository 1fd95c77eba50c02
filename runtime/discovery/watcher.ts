import type { DiscoveryEvent, JsonValue, Watch } from "./types.ts";

/** Entries as the backends store them: JSON text by key, so that no two readers share an object. */
export type Entries = ReadonlyMap<string, { json: string }>;

/** A listener for the keys under a prefix. */
export class Watcher implements Watch {
  readonly #prefix: string;
  readonly #listener: (event: DiscoveryEvent) => void;
  readonly #onClose: (watcher: Watcher) => void;
  #closed = false;

  constructor(
    prefix: string,
    listener: (event: DiscoveryEvent) => void,
    onClose: (watcher: Watcher) => void,
  ) {
    this.#prefix = prefix;
    this.#listener = listener;
    this.#onClose = onClose;
  }

  snapshot(entries: Entries): void {
    this.#notify({ type: "snapshot", entries: select(entries, this.#prefix) });
  }

  put(key: string, json: string): void {
    if (key.startsWith(this.#prefix)) this.#notify({ type: "put", key, value: parse(json) });
  }

  delete(key: string): void {
    if (key.startsWith(this.#prefix)) this.#notify({ type: "delete", key });
  }

  close(): void {
    this.#closed = true;
    this.#onClose(this);
  }

  #notify(event: DiscoveryEvent): void {
    if (this.#closed) return;
    try {
      this.#listener(event);
    } catch (error) {
      // A listener's error goes to the process's handler; other listeners still get the event.
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}

/** The entries under `prefix`, in the order of their keys, as fresh values. */
export function select(entries: Entries, prefix: string): Map<string, JsonValue> {
  const keys = [...entries.keys()].filter((key) => key.startsWith(prefix)).sort();
  return new Map(keys.map((key) => [key, parse(entries.get(key)?.json ?? "null")]));
}

function parse(json: string): JsonValue {
  return JSON.parse(json) as JsonValue;
}
