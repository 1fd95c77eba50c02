import type { Lease } from "./types.ts";

/** A lease as a remote store has it. Every call may fail because the store is away. */
export interface StoreLease {
  /** As the store names it: 16 hex digits; may change when it is taken anew. */
  readonly id: string;
  /** Takes it, for the first time or anew. */
  take(): Promise<void>;
  /** Shows that its holder lives. @returns false where the store no longer knows it */
  renew(): Promise<boolean>;
  /** Stores a value under it. @returns false where the store no longer knows it */
  write(key: string, json: string): Promise<boolean>;
  /** Gives it up, with all keys that were written under it. */
  revoke(): Promise<void>;
  /** Whether the store has answered, and will never take the value. */
  isRefusal(error: unknown): boolean;
}

export interface KeptLeaseOptions {
  readonly ttlMs: number;
  /** The store has answered. */
  answered(): void;
  /** A call failed; it is made again. */
  failed(error: unknown): void;
  onRevoked(lease: KeptLease): void;
}

/**
 * A lease that outlives its store's absence, loss of data and forgetfulness: it is kept alive without end, and taken
 * anew, with all that was put under it, when the store no longer knows it.
 */
export class KeptLease implements Lease {
  readonly #store: StoreLease;
  readonly #options: KeptLeaseOptions;
  /** What was put under it. */
  readonly #values = new Map<string, string>();
  /** Keys whose values the store may not have. */
  readonly #unwritten = new Set<string>();
  #beat: ReturnType<typeof setInterval> | undefined;
  #isBeating = false;
  #isRevoked = false;
  /** The last task: calls are made one after the other, since those that wait for a connection have no order. */
  #running: Promise<unknown> = Promise.resolve();

  constructor(store: StoreLease, options: KeptLeaseOptions) {
    this.#store = store;
    this.#options = options;
  }

  get id(): string {
    return this.#store.id;
  }

  /** @throws what taking it throws */
  async open(): Promise<void> {
    await this.#run(() => this.#store.take());
    this.#beat = setInterval(() => this.#showLife(), this.#options.ttlMs / 4);
    if (typeof this.#beat === "object") this.#beat.unref();
  }

  /**
   * Resolves when the value is stored; while the store is away, at once: it is written on the store's return.
   * @throws where the store refuses the value
   */
  put(key: string, json: string): Promise<void> {
    this.#values.set(key, json);
    this.#unwritten.add(key);
    return this.#run(async () => {
      try {
        await this.#write();
      } catch (error) {
        if (this.#store.isRefusal(error)) {
          this.forget(key);
          throw error;
        }
        this.#options.failed(error);
      }
    });
  }

  /** The key has another value now, put elsewhere, or none. */
  forget(key: string): void {
    this.#values.delete(key);
    this.#unwritten.delete(key);
  }

  async revoke(): Promise<void> {
    if (this.#isRevoked) return;
    this.#isRevoked = true;
    clearInterval(this.#beat);
    this.#options.onRevoked(this);
    await this.#run(async () => {
      try {
        await this.#store.revoke();
      } catch (error) {
        // It runs out by itself.
        this.#options.failed(error);
      }
    });
  }

  #run<Result>(task: () => Promise<Result>): Promise<Result> {
    const result = this.#running.then(task);
    this.#running = result.catch(() => {});
    return result;
  }

  /** One at a time: calls to a store that is away take long. */
  #showLife(): void {
    if (this.#isBeating) return;
    this.#isBeating = true;
    void this.#run(() => this.#keep()).then(() => {
      this.#isBeating = false;
    });
  }

  /** Never fails. */
  async #keep(): Promise<void> {
    if (this.#isRevoked) return;
    try {
      if (await this.#store.renew()) this.#options.answered();
      else await this.#takeAnew();
      await this.#write();
    } catch (error) {
      // What was under way when the store went may have been applied, or not.
      for (const key of this.#values.keys()) this.#unwritten.add(key);
      if (!this.#isRevoked) this.#options.failed(error);
    }
  }

  async #takeAnew(): Promise<void> {
    await this.#store.take();
    for (const key of this.#values.keys()) this.#unwritten.add(key);
  }

  async #write(): Promise<void> {
    for (;;) {
      const [key] = this.#unwritten;
      if (key === undefined) return;
      const json = this.#values.get(key)!;
      if (!(await this.#store.write(key, json))) await this.#takeAnew();
      // Another value may have been put in the meantime.
      else if (this.#values.get(key) === json) this.#unwritten.delete(key);
      this.#options.answered();
    }
  }
}
