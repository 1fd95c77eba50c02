import type { DiscoveryEvent, JsonValue } from "./types.ts";
import { select, Watcher } from "./watcher.ts";

/** A copy of a remote store's entries, which its backend keeps current, and the watches on it. */
export class Mirror {
  readonly #entries = new Map<string, { json: string }>();
  readonly #watchers = new Set<Watcher>();
  readonly #onError: (error: Error) => void;
  /** Unreadable values already reported. */
  readonly #reported = new Map<string, string>();

  constructor(onError: (error: Error) => void) {
    this.#onError = onError;
  }

  /** The number of entries in the store, including skipped ones. */
  get size(): number {
    return this.#entries.size + this.#reported.size;
  }

  /** The entries under the prefix, as fresh values. */
  select(prefix: string): Map<string, JsonValue> {
    return select(this.#entries, prefix);
  }

  /** Replaces all entries, and notifies watches of the differences. */
  replace(entries: ReadonlyMap<string, string>): void {
    for (const key of [...this.#entries.keys(), ...this.#reported.keys()]) {
      if (!entries.has(key)) this.delete(key);
    }
    for (const [key, json] of entries) this.put(key, json);
  }

  put(key: string, json: string): void {
    if (this.#entries.get(key)?.json === json) return;
    if (!this.#isReadable(key, json)) {
      this.#remove(key);
      return;
    }
    this.#entries.set(key, { json });
    for (const watcher of [...this.#watchers]) watcher.put(key, json);
  }

  delete(key: string): void {
    this.#reported.delete(key);
    this.#remove(key);
  }

  #remove(key: string): void {
    if (this.#entries.delete(key)) for (const watcher of [...this.#watchers]) watcher.delete(key);
  }

  /** Calls the listener with a snapshot, then with every change. */
  watch(prefix: string, listener: (event: DiscoveryEvent) => void): Watcher {
    const watcher = new Watcher(prefix, listener, (closed) => this.#watchers.delete(closed));
    this.#watchers.add(watcher);
    watcher.snapshot(this.#entries);
    return watcher;
  }

  close(): void {
    for (const watcher of [...this.#watchers]) watcher.close();
  }

  /** Whether the value is JSON. Another program's value is reported once and skipped. */
  #isReadable(key: string, json: string): boolean {
    try {
      JSON.parse(json);
      this.#reported.delete(key);
      return true;
    } catch {
      if (this.#reported.get(key) !== json)
        this.#onError(new Error(`The value of "${key}" is not JSON, and was skipped.`));
      this.#reported.set(key, json);
      return false;
    }
  }
}
