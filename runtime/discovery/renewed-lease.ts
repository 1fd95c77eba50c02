import type { Lease } from "./types.ts";

/** A lease in a remote store. Every call can fail because the store is unreachable. */
export interface StoreLease {
  /** The store's id, 16 hex digits; may change when the lease is granted again. */
  readonly id: string;
  /** Grants it, for the first time or again. */
  grant(): Promise<void>;
  /** Extends it. @returns false if the store no longer has it */
  renew(): Promise<boolean>;
  /** Stores a value under it. @returns false if the store no longer has it */
  put(key: string, json: string): Promise<boolean>;
  /** Which of the keys it no longer has, because somebody else has deleted or put them. */
  missing(keys: readonly string[]): Promise<readonly string[]>;
  /** Stores a missing value again. @returns false if the key has another value by now */
  restore(key: string, json: string): Promise<boolean>;
  /** Revokes it and removes all its keys. */
  revoke(): Promise<void>;
  /** Whether the store has rejected the value for good. */
  isRejection(error: unknown): boolean;
}

export interface RenewedLeaseOptions {
  readonly ttlMs: number;
  /** The store has answered. */
  answered(): void;
  /** A call failed; it will be retried. */
  failed(error: unknown): void;
  onRevoked(lease: RenewedLease): void;
}

/**
 * A lease that survives outages and data loss of its store: it is renewed indefinitely, and granted again with all its
 * keys if the store no longer has it. Keys that others have deleted are put again.
 */
export class RenewedLease implements Lease {
  readonly #store: StoreLease;
  readonly #options: RenewedLeaseOptions;
  /** Its values, by key. */
  readonly #values = new Map<string, string>();
  /** Keys whose values the store may not have. */
  readonly #unwritten = new Set<string>();
  #beat: ReturnType<typeof setInterval> | undefined;
  #isBeating = false;
  #revoking: Promise<void> | undefined;
  /** The last task. Calls are serialized, because the store does not keep the order of those that wait to connect. */
  #running: Promise<unknown> = Promise.resolve();

  constructor(store: StoreLease, options: RenewedLeaseOptions) {
    this.#store = store;
    this.#options = options;
  }

  get id(): string {
    return this.#store.id;
  }

  /** @throws the store's error */
  async open(): Promise<void> {
    await this.#run(() => this.#store.grant());
    this.#beat = setInterval(() => this.#heartbeat(), this.#options.ttlMs / 4);
    if (typeof this.#beat === "object") this.#beat.unref();
  }

  /**
   * Resolves when the value is stored, or at once while the store is unreachable; it is then stored later.
   * @throws if the store rejects the value
   */
  put(key: string, json: string): Promise<void> {
    this.#values.set(key, json);
    this.#unwritten.add(key);
    return this.#run(async () => {
      try {
        await this.#write();
      } catch (error) {
        if (this.#store.isRejection(error)) {
          this.forget(key);
          throw error;
        }
        this.#options.failed(error);
      }
    });
  }

  /** The key has been deleted, or put elsewhere. */
  forget(key: string): void {
    this.#values.delete(key);
    this.#unwritten.delete(key);
  }

  get isRevoked(): boolean {
    return this.#revoking !== undefined;
  }

  /** Resolves when the store has removed it, also if it is being revoked already. Never fails. */
  revoke(): Promise<void> {
    clearInterval(this.#beat);
    this.#revoking ??= this.#run(async () => {
      try {
        await this.#store.revoke();
      } catch (error) {
        // It expires by itself.
        this.#options.failed(error);
      }
      this.#options.onRevoked(this);
    });
    return this.#revoking;
  }

  #run<Result>(task: () => Promise<Result>): Promise<Result> {
    const result = this.#running.then(task);
    this.#running = result.catch(() => {});
    return result;
  }

  /** One at a time, because calls to an unreachable store take long. */
  #heartbeat(): void {
    if (this.#isBeating) return;
    this.#isBeating = true;
    void this.#run(() => this.#renew()).then(() => {
      this.#isBeating = false;
    });
  }

  /** Never fails. */
  async #renew(): Promise<void> {
    if (this.isRevoked) return;
    try {
      if (await this.#store.renew()) this.#options.answered();
      else await this.#grantAgain();
      await this.#write();
      await this.#restore();
    } catch (error) {
      // Calls in progress when the store became unreachable may or may not have been applied.
      for (const key of this.#values.keys()) this.#unwritten.add(key);
      if (!this.isRevoked) this.#options.failed(error);
    }
  }

  async #grantAgain(): Promise<void> {
    await this.#store.grant();
    for (const key of this.#values.keys()) this.#unwritten.add(key);
  }

  async #restore(): Promise<void> {
    const held = [...this.#values.keys()];
    if (held.length === 0) return;
    for (const key of await this.#store.missing(held)) {
      const json = this.#values.get(key);
      // Its holder has deleted it, or is about to put another value.
      if (json === undefined || this.#unwritten.has(key) || this.isRevoked) continue;
      const isOurs = await this.#store.restore(key, json);
      // Two holders must not take a key from each other for ever.
      if (!isOurs && this.#values.get(key) === json && !this.#unwritten.has(key)) this.forget(key);
    }
  }

  async #write(): Promise<void> {
    for (;;) {
      const [key] = this.#unwritten;
      if (key === undefined) return;
      const json = this.#values.get(key)!;
      if (!(await this.#store.put(key, json))) await this.#grantAgain();
      // Another value may have been put meanwhile.
      else if (this.#values.get(key) === json) this.#unwritten.delete(key);
      this.#options.answered();
    }
  }
}
