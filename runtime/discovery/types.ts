import type { ClientTls } from "../request-plane/types.ts";

/**
 * Discovery: which processes of a deployment are alive, and where. Keys are paths such as
 * `models/<instance id>`; values are JSON. A key put under a lease disappears with the lease.
 */
export interface Discovery {
  /** Whether the store answers. While it does not, watches keep the known entries. */
  readonly isReachable: boolean;
  /**
   * Opens a lease that this process keeps alive until `revoke`, or until the process dies. If the store loses it
   * (the process was suspended for too long, or the store lost its data), it is granted again with all its keys.
   */
  lease(options?: LeaseOptions): Promise<Lease>;
  /**
   * Stores `value` under `key`, with a lease only for the lease's lifetime. The last put of a key wins, whatever
   * their leases.
   *
   * @throws DiscoveryError if the lease is revoked
   */
  put(key: string, value: JsonValue, lease?: Lease): Promise<void>;
  /** Removes `key`, if it exists. */
  delete(key: string): Promise<void>;
  /** All entries whose keys begin with `prefix`, by key. */
  get(prefix: string): Promise<Map<string, JsonValue>>;
  /**
   * Calls `listener` once with a consistent snapshot of everything under `prefix`, before the promise resolves,
   * then with every change, in order, until the returned watch is closed. No change in between is missed. If a key
   * changes several times quickly, a backend may report only the last value.
   */
  watch(prefix: string, listener: (event: DiscoveryEvent) => void): Promise<Watch>;
  /** Closes all watches and revokes all leases that were opened here. */
  close(): Promise<void>;
}

export interface DiscoveryOptions {
  /** Receives background errors, for which no caller waits. */
  onError?: (error: Error) => void;
  /** Called when a remote store becomes unreachable or reachable again. */
  onState?: (state: StoreState) => void;
  /** For `kubernetes:`: this process is a worker, which gateways find by its pod, so it needs no cluster. */
  isWorker?: boolean | undefined;
  /** For `kubernetes:`: TLS to the workers. */
  workerTls?: ClientTls | undefined;
  /** For `kubernetes:`: after how long running calls leave pods that are gone or unready, in milliseconds. Default 5,000. */
  drainWithinMs?: number | undefined;
}

/** Whether a remote store answers. */
export interface StoreState {
  readonly isReachable: boolean;
  /** Why it does not. */
  readonly reason?: string | undefined;
  /** The length of the outage that has just ended, in milliseconds; 0 if it has just begun. */
  readonly outageMs: number;
}

export interface LeaseOptions {
  /** How long the lease outlives its holder's last heartbeat, in milliseconds. Default 10,000. */
  ttlMs?: number;
}

export interface Lease {
  /** 64-bit id, 16 hex digits. */
  readonly id: string;
  /** Revokes the lease; its keys disappear at once. */
  revoke(): Promise<void>;
}

export interface Watch {
  /** No event is delivered after this. */
  close(): void;
}

export type DiscoveryEvent =
  | { type: "snapshot"; entries: Map<string, JsonValue> }
  | { type: "put"; key: string; value: JsonValue }
  | { type: "delete"; key: string };

/** A JSON value. Undefined fields are omitted. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | JsonValue[]
  | { [key: string]: JsonValue | undefined };

export type DiscoveryErrorCode = "bad_url" | "lease_gone" | "closed" | "store_failed";

/** An error of discovery. */
export class DiscoveryError extends Error {
  readonly code: DiscoveryErrorCode;
  constructor(code: DiscoveryErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "DiscoveryError";
    this.code = code;
  }
}

export const defaultTtlMs = 10_000;
