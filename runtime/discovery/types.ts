/**
 * Discovery: who is alive in a deployment, and where. Keys are paths such as
 * `models/<instance id>`; values are JSON. A key put under a lease disappears with the lease.
 */
export interface Discovery {
  /** Whether the store answers. While it does not, watches keep what is known. */
  readonly isReachable: boolean;
  /**
   * Opens a lease that this process keeps alive until `revoke`, or until the process dies. Where the store forgets it
   * (its holder stood still for too long, its data was lost), the lease is taken anew at once, with all that was put
   * under it.
   */
  lease(options?: LeaseOptions): Promise<Lease>;
  /**
   * Stores `value` under `key`; with a lease, only for as long as the lease lives. The last put of a key counts,
   * whatever lease it was under.
   *
   * @throws DiscoveryError where the lease is revoked
   */
  put(key: string, value: JsonValue, lease?: Lease): Promise<void>;
  /** Removes `key`; removing a key that is not there is not an error. */
  delete(key: string): Promise<void>;
  /** All entries whose keys begin with `prefix`, by key. */
  get(prefix: string): Promise<Map<string, JsonValue>>;
  /**
   * Calls `listener` once with a consistent snapshot of everything under `prefix`, before the promise resolves,
   * then with every change, in order, until the returned watch is closed. A change is never missed between the
   * two. Of values that follow one another quickly a backend may pass over all but the last.
   */
  watch(prefix: string, listener: (event: DiscoveryEvent) => void): Promise<Watch>;
  /** Ends all watches and revokes all leases that were opened here. */
  close(): Promise<void>;
}

export interface DiscoveryOptions {
  /** Told of trouble in the background, where no caller waits. */
  onError?: (error: Error) => void;
  /** Told when a remote store can no longer be reached, and when it can again. */
  onState?: (state: StoreState) => void;
}

/** Whether a remote store answers. */
export interface StoreState {
  readonly isReachable: boolean;
  /** Why it is not. */
  readonly reason?: string | undefined;
  /** How long it has been away, in milliseconds; 0 while it is not. */
  readonly awayMs: number;
}

export interface LeaseOptions {
  /** How long the lease outlives its holder's last sign of life, in milliseconds. Default 10,000. */
  ttlMs?: number;
}

export interface Lease {
  /** 64-bit id, 16 hex digits. */
  readonly id: string;
  /** Gives the lease up; its keys disappear at once. */
  revoke(): Promise<void>;
}

export interface Watch {
  /** No event comes after this. */
  close(): void;
}

export type DiscoveryEvent =
  | { type: "snapshot"; entries: Map<string, JsonValue> }
  | { type: "put"; key: string; value: JsonValue }
  | { type: "delete"; key: string };

/** What JSON can say. A field that is undefined is left out. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | JsonValue[]
  | { [key: string]: JsonValue | undefined };

export type DiscoveryErrorCode = "bad_url" | "lease_gone" | "closed" | "store_failed";

/** Why discovery could not do what was asked. */
export class DiscoveryError extends Error {
  readonly code: DiscoveryErrorCode;
  constructor(code: DiscoveryErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "DiscoveryError";
    this.code = code;
  }
}

export const defaultTtlMs = 10_000;
