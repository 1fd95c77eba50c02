import type { KV, KvWatchEntry } from "@nats-io/kv";
import type { NatsConnection, QueuedIterator } from "@nats-io/transport-node";
import { randomId } from "../../ids.ts";
import { amongOthers } from "../../nats/among-others.ts";
import { connectToNats, natsReason, parseNatsUrl, patiently } from "../../nats/connect.ts";
import { type ServerUrl, ServerUrlError } from "../../server-url.ts";
import { type RemoteContext, RemoteDiscovery, type RemoteStore } from "../remote.ts";
import type { StoreLease } from "../renewed-lease.ts";
import { type Discovery, DiscoveryError, type DiscoveryOptions } from "../types.ts";
import { entryName, leaseName, MARK } from "./keys.ts";
import { type Change, entryValue, LeaseTable, leaseValue } from "./lease-table.ts";

/** Timeout of a call, in milliseconds. */
const CALL_MS = 2_000;
/** Interval of marks, which show whether the server answers and how far the watch has progressed. */
const MARK_MS = 2_000;
/** Time without a mark after which holders may have been unable to renew their leases. */
const OUTAGE_MS = 5_000;
const DEFAULT_BUCKET = "stator";
const BAD_SEQUENCE = 10071;

/**
 * Discovery through a key-value bucket of NATS JetStream (2.9 or newer), which is created if it is missing.
 *
 * @param place the URL without its scheme: `//host:4222,other:4222/bucket?creds=FILE`
 * @throws DiscoveryError `bad_url`, or `store_failed` if NATS does not answer within 10 s, rejects the login or lacks
 *   JetStream
 */
export async function openNatsDiscovery(place: string, options: DiscoveryOptions): Promise<Discovery> {
  const url = readUrl(place);
  let connection: NatsConnection | undefined;
  try {
    connection = await patiently(() => connectToNats(url, CALL_MS));
    const bucket = await openBucket(connection, url.path || DEFAULT_BUCKET);
    const connected = connection;
    return new RemoteDiscovery((context) => new NatsStore(connected, bucket, url, context, options), options);
  } catch (error) {
    await connection?.close();
    if (error instanceof ServerUrlError) throw new DiscoveryError("bad_url", error.message, { cause: error });
    throw new DiscoveryError("store_failed", natsReason(error, url), { cause: error });
  }
}

function readUrl(place: string): ServerUrl {
  let why: string;
  let cause: unknown;
  try {
    const url = parseNatsUrl(place);
    if (/^[\w-]*$/.test(url.path)) return url;
    why = `The name of a NATS bucket consists of letters, digits, '-' and '_': '${url.path}' is not valid.`;
  } catch (error) {
    [why, cause] = [(error as Error).message, error];
  }
  throw new DiscoveryError("bad_url", why, { cause });
}

async function openBucket(connection: NatsConnection, name: string): Promise<KV> {
  const [{ Kvm }, { jetstream }] = await Promise.all([import("@nats-io/kv"), import("@nats-io/jetstream")]);
  const buckets = new Kvm(jetstream(connection, { timeout: CALL_MS }));
  return amongOthers(() => buckets.create(name, { history: 1 }));
}

class NatsStore implements RemoteStore {
  readonly #connection: NatsConnection;
  readonly #url: ServerUrl;
  readonly #context: RemoteContext;
  readonly #leases: LeaseTable;
  #bucket: KV;
  /** The running watch, and its listing so far; undefined once the listing is complete. */
  #watch: QueuedIterator<KvWatchEntry> | undefined;
  #listing: Map<string, Change> | undefined;
  /** The last revision that the watch has delivered. */
  #revision = 0;
  /** Calls that wait for the watch to reach a revision. */
  #waiting: { revision: number; resolve: () => void }[] = [];
  #knownUntil = 0;
  #timer: ReturnType<typeof setInterval> | undefined;
  #isConnected = true;
  #isMarking = false;
  #isClosed = false;
  #started: Promise<void> | undefined;

  constructor(
    connection: NatsConnection,
    bucket: KV,
    url: ServerUrl,
    context: RemoteContext,
    { onError = () => {} }: DiscoveryOptions,
  ) {
    this.#connection = connection;
    this.#bucket = bucket;
    this.#url = url;
    this.#context = context;
    this.#leases = new LeaseTable(context.mirror, onError);
    void this.#followConnection();
  }

  /** Tracks the connection, so that calls without one fail at once instead of timing out. */
  async #followConnection(): Promise<void> {
    for await (const { type } of this.#connection.status()) {
      if (type === "disconnect") this.#isConnected = false;
      if (type !== "reconnect") continue;
      this.#isConnected = true;
      void this.#tick();
    }
  }

  get #connectedBucket(): KV {
    if (!this.#isConnected) throw new Error("the connection is lost");
    return this.#bucket;
  }

  async put(key: string, json: string): Promise<void> {
    await this.#connectedBucket.put(entryName(key), entryValue({ key, lease: null, json }), {
      timeout: CALL_MS,
    });
  }

  async delete(key: string): Promise<void> {
    await this.#connectedBucket.delete(entryName(key));
  }

  async sync(): Promise<void> {
    if (this.#started === undefined) {
      this.#timer ??= setInterval(() => void this.#tick(), MARK_MS).unref();
      this.#started = this.#list();
      this.#started.catch(() => {
        this.#started = undefined;
      });
      return this.#started;
    }
    await this.#started;
    await this.#mark();
  }

  lease(ttlMs: number): StoreLease {
    return new NatsLease(
      () => this.#connectedBucket,
      () => this.#repair(),
      ttlMs,
    );
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    this.#watch?.stop();
    await this.#connection.close();
  }

  reasonOf(error: unknown): string {
    return natsReason(error, this.#url);
  }

  /** Starts a new watch, which begins with a listing. */
  async #list(): Promise<void> {
    this.#watch?.stop();
    this.#listing = new Map();
    this.#revision = 0;
    const watch = await this.#connectedBucket.watch();
    this.#watch = watch;
    void this.#follow(watch);
    await this.#mark();
  }

  async #follow(watch: QueuedIterator<KvWatchEntry>): Promise<void> {
    try {
      for await (const { key, value, operation, revision, created } of watch) {
        if (this.#watch !== watch || this.#isClosed) return;
        const isPut = operation === "PUT";
        this.#onChange({
          name: key,
          value: isPut ? decoder.decode(value) : undefined,
          revision,
          storedAt: created.getTime(),
        });
      }
    } catch (error) {
      this.#context.failed(error);
    }
    if (this.#watch === watch) this.#watch = undefined;
  }

  #onChange(change: Change): void {
    this.#revision = change.revision;
    if (this.#listing !== undefined) this.#listing.set(change.name, change);
    else this.#leases.apply(change, performance.now());
    const reached = this.#waiting.filter(({ revision }) => revision <= change.revision);
    this.#waiting = this.#waiting.filter(({ revision }) => revision > change.revision);
    for (const { resolve } of reached) resolve();
  }

  /** The mark has arrived, and with it everything that was stored before it. */
  #endListing(): void {
    const listing = this.#listing;
    if (listing === undefined) return;
    this.#listing = undefined;
    const serverNow = listing.get(MARK)!.storedAt;
    this.#leases.replace([...listing.values()], serverNow, performance.now());
  }

  /**
   * Resolves when the watch has delivered everything that was stored at the time of the call.
   * @throws if the server does not answer, or the watch has stopped
   */
  async #mark(): Promise<void> {
    const startedAt = performance.now();
    const before = this.#revision;
    const revision = await this.#connectedBucket.put(MARK, "", { timeout: CALL_MS });
    // The revisions of a bucket that was lost and recreated start over. Others may have written since the mark was sent.
    if (revision <= before) throw new Error("the bucket was recreated");
    if (revision > this.#revision) await this.#reach(revision);
    this.#endListing();
    if (this.#knownUntil > 0 && startedAt - this.#knownUntil > OUTAGE_MS)
      this.#leases.refresh(performance.now());
    this.#knownUntil = startedAt;
    this.#context.answered();
  }

  async #reach(revision: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ revision, resolve });
    const timer = setTimeout(() => reject(new Error("the watch has stalled")), CALL_MS);
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#waiting = this.#waiting.filter((waiting) => waiting.resolve !== resolve);
    }
  }

  async #tick(): Promise<void> {
    if (this.#isMarking || this.#isClosed || this.#started === undefined) return;
    this.#isMarking = true;
    try {
      await (this.#watch === undefined ? this.#list() : this.#mark());
      this.#leases.expire(this.#knownUntil);
      for (const { name, revision } of this.#leases.expiredEntries(this.#knownUntil))
        await this.#bucket.delete(name, { previousSeq: revision }).catch(() => {});
    } catch (error) {
      if (this.#isClosed) return;
      this.#context.failed(error);
      this.#watch?.stop();
      this.#watch = undefined;
      await this.#repair().catch(() => {});
    } finally {
      this.#isMarking = false;
    }
  }

  /** Recreates the bucket if it was lost. */
  async #repair(): Promise<void> {
    if (this.#isClosed || !this.#isConnected) return;
    this.#bucket = await openBucket(this.#connection, this.#url.path || DEFAULT_BUCKET);
  }
}

/** A lease is a key that its holder rewrites at intervals. */
class NatsLease implements StoreLease {
  readonly id = randomId();
  readonly #bucket: () => KV;
  readonly #repair: () => Promise<void>;
  readonly #value: string;
  /** Revisions of the lease's key and of its entries. */
  #revision = 0;
  readonly #entries = new Map<string, number>();

  constructor(bucket: () => KV, repair: () => Promise<void>, ttlMs: number) {
    this.#bucket = bucket;
    this.#repair = repair;
    this.#value = leaseValue(ttlMs);
  }

  async grant(): Promise<void> {
    this.#revision = await this.#bucket().put(leaseName(this.id), this.#value, { timeout: CALL_MS });
  }

  async renew(): Promise<boolean> {
    try {
      const options = { timeout: CALL_MS, previousSeq: this.#revision };
      this.#revision = await this.#bucket().put(leaseName(this.id), this.#value, options);
      return true;
    } catch (error) {
      if (isBadSequence(error)) return false;
      await this.#repair().catch(() => {});
      throw error;
    }
  }

  async put(key: string, json: string): Promise<boolean> {
    const value = entryValue({ key, lease: this.id, json });
    const name = entryName(key);
    this.#entries.set(name, await this.#bucket().put(name, value, { timeout: CALL_MS }));
    return true;
  }

  async missing(keys: readonly string[]): Promise<readonly string[]> {
    const found = await Promise.all(keys.map((key) => this.#bucket().get(entryName(key))));
    return keys.filter((key, index) => {
      const entry = found[index];
      return entry?.operation !== "PUT" || entry.revision !== this.#entries.get(entryName(key));
    });
  }

  async restore(key: string, json: string): Promise<boolean> {
    const name = entryName(key);
    const entry = await this.#bucket().get(name);
    const ours = this.#entries.get(name) ?? 0;
    // A replica that lags may answer with an older value.
    if (entry?.operation === "PUT") return entry.revision <= ours;
    const options = { timeout: CALL_MS, previousSeq: entry?.revision ?? 0 };
    const value = entryValue({ key, lease: this.id, json });
    try {
      this.#entries.set(name, await this.#bucket().put(name, value, options));
    } catch (error) {
      // Somebody else was faster; the next renewal sees who.
      if (!isBadSequence(error) && !this.isRejection(error)) throw error;
    }
    return true;
  }

  async revoke(): Promise<void> {
    await this.#bucket().delete(leaseName(this.id));
    // Entries that another holder has put since are kept.
    for (const [name, previousSeq] of this.#entries)
      await this.#bucket()
        .delete(name, { previousSeq })
        .catch((error) => {
          if (!isBadSequence(error)) throw error;
        });
  }

  isRejection(error: unknown): boolean {
    return error instanceof Error && /permissions violation|maximum payload|max_payload/i.test(error.message);
  }
}

const isBadSequence = (error: unknown): boolean => Reflect.get(Object(error), "code") === BAD_SEQUENCE;

const decoder = new TextDecoder();
