import { type FSWatcher, watch as watchDirectory } from "node:fs";
import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { EntryReader, entryContent, type StoredEntry } from "./entry-reader.ts";
import { FileLease } from "./file-lease.ts";
import { encodeKey, entryFileName, noLease, parseEntryName } from "./file-names.ts";
import { FileStore, isMissing, listFolder, remove } from "./file-store.ts";
import { LeaseObserver, type LeaseState } from "./lease-observer.ts";
import {
  type Discovery,
  DiscoveryError,
  type DiscoveryEvent,
  defaultTtlMs,
  type JsonValue,
  type Lease,
  type LeaseOptions,
  type Watch,
} from "./types.ts";
import { select, Watcher } from "./watcher.ts";

/**
 * Discovery through a shared directory: one file per entry, one file per lease. There is no server: readers detect and
 * remove the files of dead processes. A dead holder is detected within a second on the same machine, and when its lease
 * expires elsewhere.
 *
 * @param onError called with background errors, for which no caller waits
 * @throws DiscoveryError `store_failed` if the directory cannot be created
 */
export async function openFileDiscovery(
  directory: string,
  onError?: (error: Error) => void,
): Promise<Discovery> {
  const store = new FileStore(resolve(directory));
  await store.prepare();
  return new FileDiscovery(store, onError ?? (() => {}));
}

class FileDiscovery implements Discovery {
  readonly isReachable = true;
  readonly #store: FileStore;
  readonly #onError: (error: Error) => void;
  readonly #reader: EntryReader;
  readonly #observer: LeaseObserver;
  readonly #leases = new Map<string, FileLease>();
  /** Contents of the files under these leases, by name. */
  readonly #leased = new Map<string, string>();
  readonly #watchers = new Set<Watcher>();
  /** The valid entries at the last scan, by key. */
  #entries = new Map<string, StoredEntry>();
  #scanning: Promise<void> | undefined;
  #nextScan: Promise<void> | undefined;
  #fsWatcher: FSWatcher | undefined;
  /** Distinguishes the watched directory from one created later at the same path. */
  #watchedPlace = "";
  #timer: NodeJS.Timeout | undefined;
  #ticks = 0;
  #lastWritten = 0;
  #closed = false;

  constructor(store: FileStore, onError: (error: Error) => void) {
    this.#store = store;
    this.#onError = onError;
    this.#reader = new EntryReader(store);
    this.#observer = new LeaseObserver(store);
  }

  async lease(options: LeaseOptions = {}): Promise<Lease> {
    this.#check();
    const entries = {
      restore: (leaseId: string) => this.#restoreEntriesOf(leaseId),
      remove: (leaseId: string) => this.#removeEntriesOf(leaseId),
    };
    const lease = new FileLease(this.#store, options.ttlMs ?? defaultTtlMs, entries, (error) =>
      this.#report(error),
    );
    await lease.open();
    this.#leases.set(lease.id, lease);
    return lease;
  }

  async put(key: string, value: JsonValue, lease?: Lease): Promise<void> {
    this.#check();
    if (lease && this.#leases.get(lease.id)?.isRevoked !== false) {
      throw new DiscoveryError("lease_gone", `The lease ${lease.id} was revoked; "${key}" was not put.`);
    }
    // Two puts of one process never have the same time.
    this.#lastWritten = Math.max(this.#lastWritten + 0.001, performance.timeOrigin + performance.now());
    const name = entryFileName(key, lease?.id);
    const content = entryContent(key, value, this.#lastWritten);
    if (lease !== undefined) this.#leased.set(name, content);
    await this.#store.write(join(this.#store.entries, name), content);
    await this.#removeOlder(key, name);
  }

  async delete(key: string): Promise<void> {
    this.#check();
    for (const lease of this.#leases.keys()) this.#leased.delete(entryFileName(key, lease));
    for (const name of await this.#namesOf(key)) await remove(join(this.#store.entries, name));
  }

  async get(prefix: string): Promise<Map<string, JsonValue>> {
    this.#check();
    await this.#scan();
    return select(this.#entries, prefix);
  }

  async watch(prefix: string, listener: (event: DiscoveryEvent) => void): Promise<Watch> {
    this.#check();
    try {
      await this.#watchDirectory();
      await this.#scan();
      this.#check();
    } catch (error) {
      if (this.#watchers.size === 0) this.#stopWatching();
      throw error;
    }
    const watcher = new Watcher(prefix, listener, (watcher) => {
      this.#watchers.delete(watcher);
      if (this.#watchers.size === 0) this.#stopWatching();
    });
    // In one turn, so that later scans report changes to this snapshot.
    this.#watchers.add(watcher);
    watcher.snapshot(this.#entries);
    this.#timer ??= setInterval(() => this.#tick(), tickMs).unref();
    return watcher;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const watcher of [...this.#watchers]) watcher.close();
    this.#stopWatching();
    for (const lease of this.#leases.values()) await lease.revoke();
    await this.#scanning?.catch(() => {});
  }

  #check(): void {
    if (this.#closed) throw new DiscoveryError("closed", "This discovery was closed.");
  }

  /** Resolves after a scan that began after this call; concurrent calls share one. */
  #scan(): Promise<void> {
    if (this.#scanning) {
      this.#nextScan ??= this.#scanning
        .catch(() => {})
        .then(() => {
          this.#nextScan = undefined;
          return this.#startScan();
        });
      return this.#nextScan;
    }
    return this.#startScan();
  }

  #startScan(): Promise<void> {
    const scanning = this.#scanOnce().finally(() => {
      this.#scanning = undefined;
    });
    this.#scanning = scanning;
    return scanning;
  }

  async #scanOnce(): Promise<void> {
    const stored = await this.#reader.read();
    const states = await this.#leaseStates(stored);
    const entries = new Map<string, StoredEntry>();
    for (const [name, entry] of stored) {
      const state = states.get(entry.leaseId) ?? "alive";
      if (state === "dead") await remove(join(this.#store.entries, name));
      if (state !== "alive") continue;
      const other = entries.get(entry.key);
      if (!other || isLater(entry, other)) entries.set(entry.key, entry);
    }
    this.#notifyChanges(entries);
  }

  /** Returns the states of all leases, including those without entries; removes the files of dead ones. */
  async #leaseStates(stored: Map<string, StoredEntry>): Promise<Map<string, LeaseState>> {
    const ids = new Set(await listFolder(this.#store.leases));
    for (const { leaseId } of stored.values()) if (leaseId !== noLease) ids.add(leaseId);
    const states = new Map<string, LeaseState>();
    for (const id of ids) {
      const state = await this.#observer.state(id);
      states.set(id, state);
      if (state !== "dead") continue;
      this.#observer.forget(id);
      await remove(join(this.#store.leases, id));
    }
    return states;
  }

  #notifyChanges(entries: Map<string, StoredEntry>): void {
    const before = this.#entries;
    this.#entries = entries;
    const gone = [...before.keys()].filter((key) => !entries.has(key));
    const put = [...entries.values()].filter(({ key, written }) => before.get(key)?.written !== written);
    put.sort((a, b) => a.written - b.written);
    for (const watcher of [...this.#watchers]) {
      for (const key of gone) watcher.delete(key);
      for (const { key, json } of put) watcher.put(key, json);
    }
  }

  /** Checks the leases, and occasionally scans everything in case the system missed a change. */
  async #tick(): Promise<void> {
    this.#ticks++;
    try {
      const replaced = await this.#watchDirectory();
      const due = !this.#fsWatcher || this.#ticks % ticksBetweenScans === 0;
      if (replaced || due || (await this.#leaseChanged())) await this.#scan();
    } catch (error) {
      this.#report(error);
    }
  }

  async #leaseChanged(): Promise<boolean> {
    const ids = new Set([...this.#entries.values()].map((entry) => entry.leaseId));
    ids.delete(noLease);
    for (const id of ids) if ((await this.#observer.state(id)) !== "alive") return true;
    return false;
  }

  /**
   * Watches the directory for changes; without that, every tick scans. Returns whether the directory has been
   * replaced.
   */
  async #watchDirectory(): Promise<boolean> {
    const place = await stat(this.#store.entries).then(
      ({ ino, birthtimeMs }) => `${ino} ${birthtimeMs}`,
      () => "",
    );
    if (place === this.#watchedPlace) return false;
    this.#fsWatcher?.close();
    this.#fsWatcher = undefined;
    this.#watchedPlace = place;
    if (place === "" || this.#closed) return true;
    try {
      this.#fsWatcher = watchDirectory(this.#store.entries, { persistent: false }, () =>
        this.#onDirectoryChange(),
      );
      this.#fsWatcher.on("error", (error) => this.#onError(error));
    } catch (error) {
      this.#report(error);
    }
    return true;
  }

  #onDirectoryChange(): void {
    this.#scan().catch((error) => this.#report(error));
  }

  #stopWatching(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#fsWatcher?.close();
    this.#fsWatcher = undefined;
    this.#watchedPlace = "";
  }

  /** Removes all but the latest file for a key; of two concurrent writers the later one wins. */
  async #removeOlder(key: string, name: string): Promise<void> {
    const others = (await this.#namesOf(key)).filter((other) => other !== name);
    if (others.length === 0) return;
    const stored = await new EntryReader(this.#store).read();
    const own = stored.get(name);
    for (const other of others) {
      const entry = stored.get(other);
      if (own && entry && isLater(own, entry)) await remove(join(this.#store.entries, other));
    }
  }

  async #namesOf(key: string): Promise<string[]> {
    const encoded = encodeKey(key);
    return (await listFolder(this.#store.entries)).filter(
      (name) => parseEntryName(name)?.encodedKey === encoded,
    );
  }

  /** Rewrites the lease's missing entries, except those whose keys have another value by now. */
  async #restoreEntriesOf(leaseId: string): Promise<void> {
    for (const [name, content] of this.#leased) {
      const parsed = parseEntryName(name);
      if (parsed?.leaseId !== leaseId || (await isFile(join(this.#store.entries, name)))) continue;
      const names = await listFolder(this.#store.entries);
      if (names.some((other) => parseEntryName(other)?.encodedKey === parsed.encodedKey))
        this.#leased.delete(name);
      else if (this.#leased.get(name) === content)
        await this.#store.write(join(this.#store.entries, name), content);
    }
  }

  async #removeEntriesOf(leaseId: string): Promise<void> {
    this.#leases.delete(leaseId);
    for (const name of this.#leased.keys())
      if (parseEntryName(name)?.leaseId === leaseId) this.#leased.delete(name);
    for (const name of await listFolder(this.#store.entries)) {
      if (parseEntryName(name)?.leaseId === leaseId) await remove(join(this.#store.entries, name));
    }
  }

  #report(error: unknown): void {
    if (!this.#closed) this.#onError(error instanceof Error ? error : new Error(String(error)));
  }
}

function isLater(a: StoredEntry, b: StoredEntry): boolean {
  return a.written > b.written || (a.written === b.written && a.leaseId > b.leaseId);
}

const isFile = (path: string) =>
  stat(path).then(
    () => true,
    (error) => !isMissing(error),
  );

const tickMs = 400;
const ticksBetweenScans = 10;
