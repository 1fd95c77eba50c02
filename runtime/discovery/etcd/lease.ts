import type * as Etcd3Module from "etcd3";
import type { Etcd3, Lease as EtcdGrant } from "etcd3";
import type { Lease } from "../types.ts";
import { withDeadline } from "./client.ts";

export interface LeaseContext {
  readonly client: Etcd3;
  readonly errors: Pick<
    typeof Etcd3Module,
    "EtcdLeaseInvalidError" | "EtcdPermissionDeniedError" | "GRPCInvalidArgumentError"
  >;
  /** Endpoints, of which some may be dead. */
  readonly memberCount: number;
  /** etcd has answered. */
  answered(): void;
  /** A call failed; it is made again. */
  failed(error: unknown): void;
}

/**
 * A lease that outlives etcd's absence, loss of data and forgetfulness: it is kept alive for ever, and taken anew, with
 * all that was put under it, when etcd no longer knows it.
 */
export class EtcdLease implements Lease {
  readonly #context: LeaseContext;
  readonly #ttlSeconds: number;
  readonly #onRevoked: (lease: EtcdLease) => void;
  /** What was put under it, by the key in etcd. */
  readonly #values = new Map<string, string>();
  /** Keys whose values etcd may not have. */
  readonly #unwritten = new Set<string>();
  #grant: EtcdGrant | undefined;
  #id = "";
  #beat: NodeJS.Timeout | undefined;
  #isOver = false;
  /** The last task: calls are made one after the other, since those that wait for a connection have no order. */
  #running: Promise<unknown> = Promise.resolve();

  constructor(context: LeaseContext, ttlMs: number, onRevoked: (lease: EtcdLease) => void) {
    this.#context = context;
    // etcd counts in whole seconds.
    this.#ttlSeconds = Math.max(1, Math.ceil(ttlMs / 1000));
    this.#onRevoked = onRevoked;
  }

  /** etcd's id of it, which changes when it is taken anew. */
  get id(): string {
    return this.#id;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** @throws what granting throws */
  async open(): Promise<void> {
    await this.#run(() => this.#take());
    this.#beat = setInterval(() => void this.#run(() => this.#keep()), (this.#ttlSeconds * 1000) / 4).unref();
  }

  /**
   * Resolves when the value is stored; where etcd is away, at once: it is written on its return.
   * @throws where etcd refuses the value
   */
  put(key: string, json: string): Promise<void> {
    this.#values.set(key, json);
    this.#unwritten.add(key);
    return this.#run(async () => {
      try {
        await this.#write();
      } catch (error) {
        if (this.#isRefusal(error)) {
          this.forget(key);
          throw error;
        }
        this.#context.failed(error);
      }
    });
  }

  /** The key has another value now, put elsewhere, or none. */
  forget(key: string): void {
    this.#values.delete(key);
    this.#unwritten.delete(key);
  }

  async revoke(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    clearInterval(this.#beat);
    this.#onRevoked(this);
    await this.#run(async () => {
      try {
        await this.#grant?.revoke();
      } catch (error) {
        // It runs out by itself.
        this.#context.failed(error);
      }
    });
  }

  #run<Result>(task: () => Promise<Result>): Promise<Result> {
    const result = this.#running.then(task);
    this.#running = result.catch(() => {});
    return result;
  }

  async #take(): Promise<void> {
    const grant = this.#context.client.lease(this.#ttlSeconds, { autoKeepAlive: false, ...withDeadline() });
    this.#id = BigInt(await grant.grant())
      .toString(16)
      .padStart(16, "0");
    this.#grant = grant;
    this.#context.answered();
  }

  /** Shows that its holder lives; never fails. */
  async #keep(): Promise<void> {
    if (this.#isOver) return;
    try {
      await this.#renew();
      await this.#write();
    } catch (error) {
      // What was under way when etcd went may have been applied, or not.
      for (const key of this.#values.keys()) this.#unwritten.add(key);
      if (!this.#isOver) this.#context.failed(error);
    }
  }

  async #renew(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#grant!.keepaliveOnce(withDeadline());
        this.#context.answered();
        return;
      } catch (error) {
        if (this.#isUnknownLease(error)) return this.#takeAnew();
        // Streams go to any one member.
        if (attempt >= this.#context.memberCount) throw error;
      }
    }
  }

  async #takeAnew(): Promise<void> {
    await this.#take();
    for (const key of this.#values.keys()) this.#unwritten.add(key);
  }

  async #write(): Promise<void> {
    for (;;) {
      const [key] = this.#unwritten;
      if (key === undefined) return;
      const json = this.#values.get(key)!;
      try {
        await this.#context.client.put(key).value(json).lease(this.#grant!.grant()).exec();
        this.#context.answered();
        // Another value may have been put in the meantime.
        if (this.#values.get(key) === json) this.#unwritten.delete(key);
      } catch (error) {
        if (!this.#isUnknownLease(error)) throw error;
        await this.#takeAnew();
      }
    }
  }

  #isUnknownLease(error: unknown): boolean {
    return error instanceof this.#context.errors.EtcdLeaseInvalidError;
  }

  #isRefusal(error: unknown): boolean {
    const { EtcdPermissionDeniedError, GRPCInvalidArgumentError } = this.#context.errors;
    return error instanceof EtcdPermissionDeniedError || error instanceof GRPCInvalidArgumentError;
  }
}
