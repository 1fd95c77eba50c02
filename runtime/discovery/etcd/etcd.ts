import type * as Etcd3Module from "etcd3";
import type { Etcd3 } from "etcd3";
import { messageOf } from "../../message-of.ts";
import { type RemoteContext, RemoteDiscovery, type RemoteStore } from "../remote.ts";
import type { StoreLease } from "../renewed-lease.ts";
import { type Discovery, DiscoveryError, type DiscoveryOptions } from "../types.ts";
import { type EtcdAddress, readEtcdAddress } from "./address.ts";
import { createClient } from "./client.ts";
import { connectionFailure } from "./connection-failure.ts";
import { Follower } from "./follow.ts";
import { EtcdLease } from "./lease.ts";
import { plainReason } from "./plain-reason.ts";

/** How long to wait for the first answer, in milliseconds: etcd may be starting alongside this process. */
const OPEN_MS = 10_000;
const RETRY_MS = 500;

/**
 * Discovery through etcd (3.4 or newer).
 *
 * @param place the URL without its scheme: `//host:2379,other:2379/prefix?ca=FILE`
 * @throws DiscoveryError `bad_url`, or `store_failed` if etcd does not answer within 10 s or rejects the login
 */
export async function openEtcdDiscovery(place: string, options: DiscoveryOptions): Promise<Discovery> {
  const address = await readEtcdAddress(place);
  const client = await createClient(address);
  const { members } = address;
  const memberClients =
    members.length === 1
      ? [client]
      : await Promise.all(members.map((member) => createClient({ ...address, members: [member] })));
  const clients = { client, memberClients };
  const errors = await import("etcd3");
  try {
    await firstAnswer(client, errors, address);
  } catch (error) {
    closeAll(clients);
    throw new DiscoveryError("store_failed", await reasonOf(error, address), { cause: error });
  }
  return new RemoteDiscovery((context) => new EtcdStore(clients, errors, address, context), options);
}

interface EtcdClients {
  readonly client: Etcd3;
  /** A client of each member. */
  readonly memberClients: readonly Etcd3[];
}

function closeAll({ client, memberClients }: EtcdClients): void {
  for (const each of new Set([client, ...memberClients])) each.close();
}

class EtcdStore implements RemoteStore {
  readonly #clients: EtcdClients;
  readonly #client: Etcd3;
  readonly #errors: typeof Etcd3Module;
  readonly #address: EtcdAddress;
  readonly #follower: Follower;

  constructor(
    clients: EtcdClients,
    errors: typeof Etcd3Module,
    address: EtcdAddress,
    context: RemoteContext,
  ) {
    const { client } = clients;
    this.#clients = clients;
    this.#client = client;
    this.#errors = errors;
    this.#address = address;
    this.#follower = new Follower(client, address.prefix, context);
  }

  async put(key: string, json: string): Promise<void> {
    await this.#client
      .put(this.#address.prefix + key)
      .value(json)
      .exec();
  }

  async delete(key: string): Promise<void> {
    await this.#client
      .delete()
      .key(this.#address.prefix + key)
      .exec();
  }

  sync(): Promise<void> {
    return this.#follower.sync();
  }

  lease(ttlMs: number): StoreLease {
    const { prefix } = this.#address;
    return new EtcdLease({ ...this.#clients, errors: this.#errors, prefix }, ttlMs);
  }

  close(): void {
    this.#follower.close();
    closeAll(this.#clients);
  }

  reasonOf(error: unknown): Promise<string> {
    return reasonOf(error, this.#address);
  }
}

async function firstAnswer(
  client: Etcd3,
  errors: typeof Etcd3Module,
  { prefix, members, tls }: EtcdAddress,
): Promise<void> {
  const { EtcdAuthenticationFailedError, EtcdPermissionDeniedError, GRPCInvalidArgumentError } = errors;
  const rejections = [EtcdAuthenticationFailedError, EtcdPermissionDeniedError, GRPCInvalidArgumentError];
  const until = performance.now() + OPEN_MS;
  for (;;) {
    try {
      await client.getAll().prefix(prefix).count();
      return;
    } catch (error) {
      const isRejected = rejections.some((rejection) => error instanceof rejection);
      if (isRejected || performance.now() > until) throw error;
      const failures = await Promise.all(members.map((member) => connectionFailure(member, tls)));
      if (failures.every((failure) => failure?.isPermanent === true)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

/** Why a call failed, for messages. gRPC hides the part of TLS in it, so this finds out by a separate connection. */
async function reasonOf(error: unknown, { members, tls }: EtcdAddress): Promise<string> {
  const where = `etcd at ${members.join(", ")}`;
  const message = messageOf(error);
  const reason = `${where}: ${plainReason(message)}`;
  // A server that has hung for a while would hang once more.
  const isConnection = /No connection established|UNAVAILABLE/i.test(message);
  const isTimeout = /Deadline exceeded|waiting for/i.test(message);
  if (!isConnection && (!isTimeout || tls === undefined)) return reason;
  const failures = await Promise.all(members.map((member) => connectionFailure(member, tls)));
  const failure =
    failures.find((found) => found?.isPermanent === true) ?? failures.find((found) => found !== undefined);
  return failure === undefined ? reason : `${where}: ${failure.message}`;
}
