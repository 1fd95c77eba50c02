import { KeptLease, type StoreLease } from "./kept-lease.ts";
import { Mirror } from "./mirror.ts";
import { Reachability } from "./reachability.ts";
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

/** What a remote store tells its discovery of. */
export interface RemoteContext {
  /** What the store holds; the store keeps it current. */
  readonly mirror: Mirror;
  answered(): void;
  failed(error: unknown): void;
}

/** A server that keeps entries for many machines. Its calls fail when it does not answer in time. */
export interface RemoteStore {
  put(key: string, json: string): Promise<void>;
  delete(key: string): Promise<void>;
  /** Resolves when the mirror holds all that was stored when this was called. */
  sync(): Promise<void>;
  lease(ttlMs: number): StoreLease;
  close(): Promise<void> | void;
  /** Why a call failed, for people. */
  reasonOf(error: unknown): Promise<string> | string;
}

/**
 * Discovery through a server. While it is away, watches keep what is known and leases what was put under them; both are
 * brought in line when it returns, whatever it has forgotten.
 */
export class RemoteDiscovery implements Discovery {
  readonly #store: RemoteStore;
  readonly #mirror: Mirror;
  readonly #reachability: Reachability;
  readonly #leases = new Set<KeptLease>();
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
    const lease = new KeptLease(this.#store.lease(ttlMs), {
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
    if (!(lease instanceof KeptLease) || !this.#leases.has(lease)) {
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
