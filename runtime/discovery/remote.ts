import { Mirror } from "./mirror.ts";
import { Reachability } from "./reachability.ts";
import { RenewedLease, type StoreLease } from "./renewed-lease.ts";
import {
  type Discovery,
  DiscoveryError,
  type DiscoveryEvent,
  type DiscoveryOptions,
  defaultTtlMs,
  type JsonValue,
  type Lease,
  type LeaseOptions,
  type Watch,
} from "./types.ts";

/** What a remote store reports to its discovery. */
export interface RemoteContext {
  /** The store's entries; the store keeps it current. */
  readonly mirror: Mirror;
  answered(): void;
  failed(error: unknown): void;
}

/** A server that keeps entries for many machines. Its calls fail when it does not answer in time. */
export interface RemoteStore {
  put(key: string, json: string): Promise<void>;
  delete(key: string): Promise<void>;
  /** Resolves when the mirror has everything that was stored at the time of the call. */
  sync(): Promise<void>;
  lease(ttlMs: number): StoreLease;
  close(): Promise<void> | void;
  /** Why a call failed, for messages. */
  reasonOf(error: unknown): Promise<string> | string;
}

/**
 * Discovery through a server. During an outage, watches keep the known entries and leases keep their values; both are
 * reconciled when the server is back, even if it has lost its data.
 */
export class RemoteDiscovery implements Discovery {
  readonly #store: RemoteStore;
  readonly #mirror: Mirror;
  readonly #reachability: Reachability;
  readonly #leases = new Set<RenewedLease>();
  #isClosed = false;

  constructor(
    createStore: (context: RemoteContext) => RemoteStore,
    { onError = () => {}, onState = () => {} }: DiscoveryOptions,
  ) {
    this.#mirror = new Mirror(onError);
    this.#reachability = new Reachability(onState);
    this.#store = createStore({
      mirror: this.#mirror,
      answered: () => this.#reachability.answered(),
      failed: (error) => void this.#failed(error),
    });
  }

  get isReachable(): boolean {
    return this.#reachability.isReachable;
  }

  async lease({ ttlMs = defaultTtlMs }: LeaseOptions = {}): Promise<Lease> {
    this.#check();
    const lease = new RenewedLease(this.#store.lease(ttlMs), {
      ttlMs,
      answered: () => this.#reachability.answered(),
      failed: (error) => void this.#failed(error),
      onRevoked: (revoked) => this.#leases.delete(revoked),
    });
    await this.#call(() => lease.open());
    this.#leases.add(lease);
    return lease;
  }

  async put(key: string, value: JsonValue, lease?: Lease): Promise<void> {
    this.#check();
    const json = JSON.stringify(value);
    for (const other of this.#leases) if (other !== lease) other.forget(key);
    if (lease === undefined) {
      await this.#call(() => this.#store.put(key, json));
      return;
    }
    if (!(lease instanceof RenewedLease) || !this.#leases.has(lease) || lease.isRevoked) {
      throw new DiscoveryError("lease_gone", `The lease ${lease.id} was revoked; "${key}" was not put.`);
    }
    await this.#call(() => lease.put(key, json));
  }

  async delete(key: string): Promise<void> {
    this.#check();
    for (const lease of this.#leases) lease.forget(key);
    await this.#call(() => this.#store.delete(key));
  }

  async get(prefix: string): Promise<Map<string, JsonValue>> {
    this.#check();
    await this.#call(() => this.#store.sync());
    return this.#mirror.select(prefix);
  }

  async watch(prefix: string, listener: (event: DiscoveryEvent) => void): Promise<Watch> {
    this.#check();
    await this.#call(() => this.#store.sync());
    this.#check();
    return this.#mirror.watch(prefix, listener);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#mirror.close();
    await Promise.all(Array.from(this.#leases, (lease) => lease.revoke()));
    await this.#store.close();
  }

  #check(): void {
    if (this.#isClosed) throw new DiscoveryError("closed", "This discovery was closed.");
  }

  async #failed(error: unknown): Promise<void> {
    if (this.#isClosed || !this.isReachable) return;
    const reason = await this.#store.reasonOf(error);
    if (!this.#isClosed) this.#reachability.failed(reason);
  }

  async #call(call: () => Promise<void>): Promise<void> {
    try {
      await call();
    } catch (error) {
      throw new DiscoveryError("store_failed", await this.#store.reasonOf(error), { cause: error });
    }
  }
}
