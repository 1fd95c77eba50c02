import type { Etcd3 } from "etcd3";
import { Mirror } from "../mirror.ts";
import { Reachability } from "../reachability.ts";
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
} from "../types.ts";
import { type EtcdAddress, readEtcdAddress } from "./address.ts";
import { createClient } from "./client.ts";
import { Follower } from "./follow.ts";
import { EtcdLease } from "./lease.ts";
import { tlsReason } from "./tls-reason.ts";

/** How long the first answer is waited for, in milliseconds: etcd may be starting beside this process. */
const OPEN_MS = 10_000;
const RETRY_MS = 500;

/**
 * Discovery through etcd (3.4 or newer). While etcd is away, watches keep what is known and leases what was put under
 * them; both are brought in line when it returns, whatever it has forgotten.
 *
 * @param place the URL without its scheme: `//host:2379,other:2379/prefix?ca=FILE`
 * @throws DiscoveryError `bad_url`, or `store_failed` where etcd does not answer within 10 s or refuses the login
 */
export async function openEtcdDiscovery(place: string, options: DiscoveryOptions): Promise<Discovery> {
  const address = await readEtcdAddress(place);
  const client = await createClient(address);
  try {
    await firstAnswer(client, address);
  } catch (error) {
    client.close();
    throw new DiscoveryError("store_failed", await reasonOf(error, address), { cause: error });
  }
  return new EtcdDiscovery(client, await import("etcd3"), address, options);
}

class EtcdDiscovery implements Discovery {
  readonly #client: Etcd3;
  readonly #errors: typeof import("etcd3");
  readonly #address: EtcdAddress;
  readonly #mirror: Mirror;
  readonly #follower: Follower;
  readonly #reachability: Reachability;
  readonly #leases = new Set<EtcdLease>();
  #isClosed = false;

  constructor(
    client: Etcd3,
    errors: typeof import("etcd3"),
    address: EtcdAddress,
    { onError = () => {}, onState = () => {} }: DiscoveryOptions,
  ) {
    this.#client = client;
    this.#errors = errors;
    this.#address = address;
    this.#mirror = new Mirror(onError);
    this.#reachability = new Reachability(onState);
    this.#follower = new Follower({
      client,
      prefix: address.prefix,
      mirror: this.#mirror,
      answered: () => this.#reachability.answered(),
      failed: (error) => this.#failed(error),
    });
  }

  async lease({ ttlMs = defaultTtlMs }: LeaseOptions = {}): Promise<Lease> {
    this.#check();
    const context = {
      client: this.#client,
      errors: this.#errors,
      memberCount: this.#address.members.length,
      answered: () => this.#reachability.answered(),
      failed: (error: unknown) => this.#failed(error),
    };
    const lease = new EtcdLease(context, ttlMs, (revoked) => this.#leases.delete(revoked));
    await this.#call(() => lease.open());
    this.#leases.add(lease);
    return lease;
  }

  async put(key: string, value: JsonValue, lease?: Lease): Promise<void> {
    this.#check();
    const path = this.#address.prefix + key;
    const json = JSON.stringify(value);
    for (const other of this.#leases) if (other !== lease) other.forget(path);
    if (lease === undefined) {
      await this.#call(() => this.#client.put(path).value(json).exec());
      return;
    }
    if (!(lease instanceof EtcdLease) || !this.#leases.has(lease)) {
      throw new DiscoveryError("lease_gone", `The lease ${lease.id} was revoked; "${key}" was not put.`);
    }
    await this.#call(() => lease.put(path, json));
  }

  async delete(key: string): Promise<void> {
    this.#check();
    const path = this.#address.prefix + key;
    for (const lease of this.#leases) lease.forget(path);
    await this.#call(() => this.#client.delete().key(path).exec());
  }

  async get(prefix: string): Promise<Map<string, JsonValue>> {
    this.#check();
    // Through the mirror, so that one place judges what etcd holds.
    await this.#call(() => this.#follower.sync());
    return this.#mirror.select(prefix);
  }

  async watch(prefix: string, listener: (event: DiscoveryEvent) => void): Promise<Watch> {
    this.#check();
    await this.#call(() => this.#follower.sync());
    this.#check();
    return this.#mirror.watch(prefix, listener);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#follower.close();
    this.#mirror.close();
    await Promise.all(Array.from(this.#leases, (lease) => lease.revoke()));
    this.#client.close();
  }

  #check(): void {
    if (this.#isClosed) throw new DiscoveryError("closed", "This discovery was closed.");
  }

  #failed(error: unknown): void {
    if (this.#isClosed) return;
    void reasonOf(error, this.#address).then((reason) => {
      if (!this.#isClosed) this.#reachability.failed(reason);
    });
  }

  async #call<Result>(call: () => Promise<Result>): Promise<Result> {
    try {
      const result = await call();
      this.#reachability.answered();
      return result;
    } catch (error) {
      throw new DiscoveryError("store_failed", await reasonOf(error, this.#address), { cause: error });
    }
  }
}

async function firstAnswer(client: Etcd3, { prefix, members, tls }: EtcdAddress): Promise<void> {
  const { EtcdAuthenticationFailedError, EtcdPermissionDeniedError, GRPCInvalidArgumentError } = await import(
    "etcd3"
  );
  const refusals = [EtcdAuthenticationFailedError, EtcdPermissionDeniedError, GRPCInvalidArgumentError];
  const until = performance.now() + OPEN_MS;
  for (;;) {
    try {
      await client.getAll().prefix(prefix).count();
      return;
    } catch (error) {
      const isRefused = refusals.some((refusal) => error instanceof refusal);
      if (isRefused || performance.now() > until) throw error;
      const reasons = await Promise.all(
        tls === undefined ? [] : members.map((member) => tlsReason(member, tls)),
      );
      if (reasons.length > 0 && reasons.every((reason) => reason?.isFinal === true)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

/** Why a call failed, for people. gRPC does not say why a TLS connection failed; a connection of our own does. */
async function reasonOf(error: unknown, { members, tls }: EtcdAddress): Promise<string> {
  const where = `etcd at ${members.join(", ")}`;
  const message = error instanceof Error ? error.message : String(error);
  const isConnection = /No connection established|UNAVAILABLE|Deadline exceeded|waiting for/i.test(message);
  if (tls === undefined || !isConnection) return `${where}: ${message}`;
  const reasons = await Promise.all(members.map((member) => tlsReason(member, tls)));
  return `${where}: ${reasons.find((reason) => reason !== undefined)?.message ?? message}`;
}
