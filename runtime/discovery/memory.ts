import { randomId } from "../ids.ts";
import {
  type Discovery,
  DiscoveryError,
  type DiscoveryEvent,
  type JsonValue,
  type Lease,
  type Watch,
} from "./types.ts";
import { select, Watcher } from "./watcher.ts";

/**
 * Discovery inside one process: all callers that open the same name share one store, which is dropped when the last one
 * closes. A lease's holder dies only with the process, so leases do not expire.
 */
export function openMemoryDiscovery(name: string): Discovery {
  const store = stores.get(name) ?? new Store(() => stores.delete(name));
  stores.set(name, store);
  return store.open();
}

/** For tests: the store forgets the lease, as if its holder had died. */
export function forgetMemoryLease(name: string, leaseId: string): void {
  stores.get(name)?.forget(leaseId);
}

const stores = new Map<string, Store>();

class Store {
  readonly entries = new Map<string, { json: string; leaseId: string | undefined }>();
  readonly watchers = new Set<Watcher>();
  readonly leases = new Map<string, MemoryLease>();
  readonly #onEmpty: () => void;
  /** Undelivered events; delivered in a microtask, so that a listener can put without disturbing the order. */
  readonly #pending: ((watcher: Watcher) => void)[] = [];
  #open = 0;

  constructor(onEmpty: () => void) {
    this.#onEmpty = onEmpty;
  }

  open(): Discovery {
    this.#open++;
    return new MemoryDiscovery(this);
  }

  released(): void {
    if (--this.#open === 0) this.#onEmpty();
  }

  put(key: string, json: string, leaseId: string | undefined): void {
    this.entries.set(key, { json, leaseId });
    this.#announce((watcher) => watcher.put(key, json));
  }

  delete(key: string): void {
    if (this.entries.delete(key)) this.#announce((watcher) => watcher.delete(key));
  }

  /** Removes a lease and its keys. */
  remove(leaseId: string): void {
    this.leases.delete(leaseId);
    for (const [key, entry] of [...this.entries]) if (entry.leaseId === leaseId) this.delete(key);
  }

  forget(leaseId: string): void {
    const lease = this.leases.get(leaseId);
    if (lease === undefined) return;
    const kept = [...this.entries].filter(([, entry]) => entry.leaseId === leaseId);
    this.remove(leaseId);
    this.leases.set(leaseId, lease);
    for (const [key, { json }] of kept) this.put(key, json, leaseId);
  }

  /** Delivers pending events to the watchers. */
  flush(): void {
    for (const notify of this.#pending.splice(0)) for (const watcher of [...this.watchers]) notify(watcher);
  }

  #announce(notify: (watcher: Watcher) => void): void {
    this.#pending.push(notify);
    if (this.#pending.length === 1) queueMicrotask(() => this.flush());
  }
}

class MemoryDiscovery implements Discovery {
  readonly isReachable = true;
  readonly #store: Store;
  readonly #watchers = new Set<Watcher>();
  readonly #leases = new Set<MemoryLease>();
  #closed = false;

  constructor(store: Store) {
    this.#store = store;
  }

  async lease(): Promise<Lease> {
    this.#check();
    const lease = new MemoryLease(this.#store);
    this.#store.leases.set(lease.id, lease);
    this.#leases.add(lease);
    return lease;
  }

  async put(key: string, value: JsonValue, lease?: Lease): Promise<void> {
    this.#check();
    if (lease && !this.#store.leases.has(lease.id)) {
      throw new DiscoveryError("lease_gone", `The lease ${lease.id} was revoked; "${key}" was not put.`);
    }
    this.#store.put(key, JSON.stringify(value), lease?.id);
  }

  async delete(key: string): Promise<void> {
    this.#check();
    this.#store.delete(key);
  }

  async get(prefix: string): Promise<Map<string, JsonValue>> {
    this.#check();
    return select(this.#store.entries, prefix);
  }

  async watch(prefix: string, listener: (event: DiscoveryEvent) => void): Promise<Watch> {
    this.#check();
    const watcher = new Watcher(prefix, listener, (watcher) => {
      this.#watchers.delete(watcher);
      this.#store.watchers.delete(watcher);
    });
    // The snapshot contains all pending events.
    this.#store.flush();
    this.#watchers.add(watcher);
    this.#store.watchers.add(watcher);
    watcher.snapshot(this.#store.entries);
    return watcher;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const watcher of [...this.#watchers]) watcher.close();
    for (const lease of this.#leases) await lease.revoke();
    this.#store.released();
  }

  #check(): void {
    if (this.#closed) throw new DiscoveryError("closed", "This discovery was closed.");
  }
}

class MemoryLease implements Lease {
  readonly id = randomId();
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  async revoke(): Promise<void> {
    this.#store.remove(this.id);
  }
}
