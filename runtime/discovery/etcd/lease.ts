import type * as Etcd3Module from "etcd3";
import type { Etcd3, Lease as EtcdGrant } from "etcd3";
import type { StoreLease } from "../renewed-lease.ts";
import { withDeadline } from "./client.ts";

export interface EtcdLeaseContext {
  readonly client: Etcd3;
  readonly errors: Pick<
    typeof Etcd3Module,
    "EtcdLeaseInvalidError" | "EtcdPermissionDeniedError" | "GRPCInvalidArgumentError"
  >;
  /** Prefix of every key. */
  readonly prefix: string;
  /** A client of each member, some of which may be down. */
  readonly memberClients: readonly Etcd3[];
}

/** An etcd lease. It is renewed by single calls with deadlines, because etcd3's automatic renewal gives up. */
export class EtcdLease implements StoreLease {
  readonly #context: EtcdLeaseContext;
  readonly #ttlSeconds: number;
  #grant: EtcdGrant | undefined;
  /** The member that renews it, as long as it answers. */
  #member = 0;
  #id = "";

  constructor(context: EtcdLeaseContext, ttlMs: number) {
    this.#context = context;
    // etcd's TTLs are whole seconds.
    this.#ttlSeconds = Math.max(1, Math.ceil(ttlMs / 1000));
  }

  get id(): string {
    return this.#id;
  }

  async grant(): Promise<void> {
    const { client } = this.#context;
    const grant = client.lease(this.#ttlSeconds, { autoKeepAlive: false, ...withDeadline() });
    this.#id = BigInt(await grant.grant())
      .toString(16)
      .padStart(16, "0");
    this.#grant = grant;
  }

  async renew(): Promise<boolean> {
    const { memberClients } = this.#context;
    for (let attempt = 1; ; attempt++) {
      try {
        return await keepAlive(memberClients[this.#member]!, await this.#grant!.grant());
      } catch (error) {
        this.#member = (this.#member + 1) % memberClients.length;
        if (attempt >= memberClients.length) throw error;
      }
    }
  }

  async put(key: string, json: string): Promise<boolean> {
    const { client, prefix } = this.#context;
    try {
      await client
        .put(prefix + key)
        .value(json)
        .lease(this.#grant!.grant())
        .exec();
      return true;
    } catch (error) {
      if (this.#isUnknown(error)) return false;
      throw error;
    }
  }

  async missing(keys: readonly string[]): Promise<readonly string[]> {
    const { client, prefix } = this.#context;
    try {
      // Through the raw client, because etcd3's lease asks for no keys.
      const request = { ID: await this.#grant!.grant(), keys: true };
      const answer = await client.leaseClient.leaseTimeToLive(request);
      const attached = new Set(answer.keys.map(String));
      // An expired lease has no keys; the next renewal grants it again.
      return Number(answer.TTL) < 0 ? [] : keys.filter((key) => !attached.has(prefix + key));
    } catch (error) {
      // A user who may only write cannot see what is missing.
      if (this.isRejection(error)) return [];
      throw error;
    }
  }

  async restore(key: string, json: string): Promise<boolean> {
    const { client, prefix } = this.#context;
    const put = client
      .put(prefix + key)
      .value(json)
      .lease(await this.#grant!.grant());
    try {
      const { succeeded } = await client
        .if(prefix + key, "Version", "==", 0)
        .then(put)
        .commit();
      return succeeded;
    } catch (error) {
      // The next renewal grants it again.
      if (this.#isUnknown(error) || this.isRejection(error)) return true;
      throw error;
    }
  }

  async revoke(): Promise<void> {
    await this.#grant?.revoke(withDeadline());
  }

  isRejection(error: unknown): boolean {
    const { EtcdPermissionDeniedError, GRPCInvalidArgumentError } = this.#context.errors;
    return error instanceof EtcdPermissionDeniedError || error instanceof GRPCInvalidArgumentError;
  }

  #isUnknown(error: unknown): boolean {
    return error instanceof this.#context.errors.EtcdLeaseInvalidError;
  }
}

/**
 * Renews a lease once through this client's only member; a client of several sends a stream to an arbitrary one.
 * @returns false if etcd no longer has the lease
 */
async function keepAlive(client: Etcd3, id: string): Promise<boolean> {
  const stream = await client.leaseClient.leaseKeepAlive(withDeadline());
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  stream.on("data", ({ TTL }) => resolve(Number(TTL) > 0));
  stream.on("error", reject);
  stream.on("end", () => reject(new Error("etcd ended the renewal of a lease without an answer")));
  stream.write({ ID: id });
  try {
    return await promise;
  } finally {
    stream.end();
  }
}
