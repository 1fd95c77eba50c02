import type { KV, KvWatchEntry } from "@nats-io/kv";
import type { NatsConnection, QueuedIterator } from "@nats-io/transport-node";
import { randomId } from "../../ids.ts";
import { connectToNats, parseNatsUrl } from "../../nats/connect.ts";
import { type ServerUrl, ServerUrlError } from "../../server-url.ts";
import type { StoreLease } from "../kept-lease.ts";
import { type RemoteContext, RemoteDiscovery, type RemoteStore } from "../remote.ts";
import { type Discovery, DiscoveryError, type DiscoveryOptions } from "../types.ts";
import { entryName, leaseName, MARK } from "./keys.ts";
import { type Change, entryValue, LeaseBook, leaseValue } from "./lease-book.ts";

/** How long the first connection may take, and a call, in milliseconds. */
const OPEN_MS = 10_000;
const CALL_MS = 2_000;
/** How often a mark is written, to learn whether the server answers and how far the watch has come. */
const MARK_MS = 2_000;
/** After so long without a mark, holders may have been unable to renew their leases. */
const AWAY_MS = 5_000;
const DEFAULT_BUCKET = "stator";
const BAD_SEQUENCE = 10071;

/**
 * Discovery through a key-value bucket of NATS JetStream (2.9 or newer), made where it is missing.
 *
 * @param place the URL without its scheme: `//host:4222,other:4222/bucket?creds=FILE`
 * @throws DiscoveryError `bad_url`, or `store_failed` where NATS does not answer within 10 s, refuses the login or has no
 *   JetStream
 */
export async function openNatsDiscovery(place: string, options: DiscoveryOptions): Promise<Discovery> {
  const url = readUrl(place);
  let connection: NatsConnection | undefined;
  try {
    connection = await connectPatiently(url);
    const bucket = await openBucket(connection, url.path || DEFAULT_BUCKET);
    const connected = connection;
    return new RemoteDiscovery((context) => new NatsStore(connected, bucket, url, context, options), options);
  } catch (error) {
    await connection?.close();
    if (error instanceof ServerUrlError) throw new DiscoveryError("bad_url", error.message, { cause: error });
    throw new DiscoveryError("store_failed", reasonOf(error, url), { cause: error });
  }
}

function readUrl(place: string): ServerUrl {
  let why: string;
  let cause: unknown;
  try {
    const url = parseNatsUrl(place);
    if (/^[\w-]*$/.test(url.path)) return url;
    why = `A NATS bucket is named in letters, digits, '-' and '_': '${url.path}' is not.`;
  } catch (error) {
    [why, cause] = [(error as Error).message, error];
  }
  throw new DiscoveryError("bad_url", why, { cause });
}

/** A server that is starting beside this process is waited for. */
async function connectPatiently(url: ServerUrl): Promise<NatsConnection> {
  const until = performance.now() + OPEN_MS;
  for (;;) {
    try {
      return await connectToNats(url, CALL_MS);
    } catch (error) {
      const isRefused = /authori[sz]ation|certificate|self.signed/i.test(String(error));
      if (error instanceof ServerUrlError || isRefused || performance.now() > until) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

async function openBucket(connection: NatsConnection, name: string): Promise<KV> {
  const [{ Kvm }, { jetstream }] = await Promise.all([import("@nats-io/kv"), import("@nats-io/jetstream")]);
  return new Kvm(jetstream(connection, { timeout: CALL_MS })).create(name, { history: 1 });
}

class NatsStore implements RemoteStore {
  readonly #connection: NatsConnection;
  readonly #url: ServerUrl;
  readonly #context: RemoteContext;
  readonly #book: LeaseBook;
  #bucket: KV;
  /** The running watch, and what of its listing has come; undefined once the book has it all. */
  #watch: QueuedIterator<KvWatchEntry> | undefined;
  #listing: Map<string, Change> | undefined;
  /** The last revision that the watch has told. */
  #revision = 0;
  /** Calls that wait for the watch to come to a revision. */
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
    this.#book = new LeaseBook(context.mirror, onError);
    void this.#followConnection();
  }

  /** What is asked while there is no connection would wait for its time to run out. */
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
    return reasonOf(error, this.#url);
  }

  /** Watches anew, from a listing on. */
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
        this.#hear({
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

  #hear(change: Change): void {
    this.#revision = change.revision;
    if (this.#listing !== undefined) this.#listing.set(change.name, change);
    else this.#book.apply(change, performance.now());
    const reached = this.#waiting.filter(({ revision }) => revision <= change.revision);
    this.#waiting = this.#waiting.filter(({ revision }) => revision > change.revision);
    for (const { resolve } of reached) resolve();
  }

  /** All that was stored before the mark has come. */
  #endListing(): void {
    const listing = this.#listing;
    if (listing === undefined) return;
    this.#listing = undefined;
    const serverNow = listing.get(MARK)!.storedAt;
    this.#book.replace([...listing.values()], serverNow, performance.now());
  }

  /**
   * Resolves when the watch has told all that was stored when this was called.
   * @throws where the server does not answer, or the watch has stopped
   */
  async #mark(): Promise<void> {
    const startedAt = performance.now();
    const revision = await this.#connectedBucket.put(MARK, "", { timeout: CALL_MS });
    // A bucket that was lost and made again counts from the start.
    if (revision < this.#revision) throw new Error("the bucket has another history");
    if (revision > this.#revision) await this.#reach(revision);
    this.#endListing();
    if (this.#knownUntil > 0 && startedAt - this.#knownUntil > AWAY_MS) this.#book.refresh(performance.now());
    this.#knownUntil = startedAt;
    this.#context.answered();
  }

  async #reach(revision: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ revision, resolve });
    const timer = setTimeout(() => reject(new Error("the watch does not go on")), CALL_MS);
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
      this.#book.expire(this.#knownUntil);
      for (const { name, revision } of this.#book.remains(this.#knownUntil))
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

  /** Makes the bucket again, where it was lost. */
  async #repair(): Promise<void> {
    if (this.#isClosed || !this.#isConnected) return;
    this.#bucket = await openBucket(this.#connection, this.#url.path || DEFAULT_BUCKET);
  }
}

/** A lease is a key that its holder writes again and again. */
class NatsLease implements StoreLease {
  readonly id = randomId();
  readonly #bucket: () => KV;
  readonly #repair: () => Promise<void>;
  readonly #value: string;
  /** Revisions of the lease's key, and of the entries that were written under it. */
  #revision = 0;
  readonly #entries = new Map<string, number>();

  constructor(bucket: () => KV, repair: () => Promise<void>, ttlMs: number) {
    this.#bucket = bucket;
    this.#repair = repair;
    this.#value = leaseValue(ttlMs);
  }

  async take(): Promise<void> {
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

  async write(key: string, json: string): Promise<boolean> {
    const value = entryValue({ key, lease: this.id, json });
    const name = entryName(key);
    this.#entries.set(name, await this.#bucket().put(name, value, { timeout: CALL_MS }));
    return true;
  }

  async revoke(): Promise<void> {
    await this.#bucket().delete(leaseName(this.id));
    // Of what another holder has put since, nothing is deleted.
    for (const [name, previousSeq] of this.#entries)
      await this.#bucket()
        .delete(name, { previousSeq })
        .catch((error) => {
          if (!isBadSequence(error)) throw error;
        });
  }

  isRefusal(error: unknown): boolean {
    return error instanceof Error && /permissions violation|maximum payload|max_payload/i.test(error.message);
  }
}

const isBadSequence = (error: unknown): boolean => Reflect.get(Object(error), "code") === BAD_SEQUENCE;

function reasonOf(error: unknown, { hosts }: ServerUrl): string {
  const message = error instanceof Error ? error.message : String(error);
  const reason = /no responders|503|jetstream (?:is )?not enabled/i.test(message)
    ? `${message}: is JetStream on (nats-server -js)?`
    : message;
  return `NATS at ${hosts.join(", ")}: ${reason}`;
}

const decoder = new TextDecoder();
