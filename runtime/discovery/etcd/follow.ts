import type { Etcd3, Watcher as EtcdWatcher, IWatchResponse } from "etcd3";
import type { RemoteContext } from "../remote.ts";

/** Interval at which etcd is probed for its availability and number of keys, in milliseconds. */
const PROBE_MS = 2_000;
/** Probes between full listings: etcd 3.4 and 3.5 can lose the event of a delete during a compaction. */
const PROBES_PER_LIST = 30;

/**
 * Keeps a mirror in sync with etcd's keys under a prefix: lists them, then watches, and lists again after every
 * reconnect, because only a listing reveals that the store lost its data or was replaced.
 */
export class Follower {
  readonly #client: Etcd3;
  /** Prefix of every key. */
  readonly #prefix: string;
  readonly #context: RemoteContext;
  /** The revision of the mirror. */
  #revision = 0n;
  #watcher: EtcdWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;
  #probes = 0;
  #isProbing = false;
  #isClosed = false;
  #started: Promise<void> | undefined;

  constructor(client: Etcd3, prefix: string, context: RemoteContext) {
    this.#client = client;
    this.#prefix = prefix;
    this.#context = context;
  }

  /** Resolves when the mirror has everything that was in etcd at the time of the call. @throws etcd3's errors */
  async sync(): Promise<void> {
    if (this.#started === undefined) {
      this.#timer = setInterval(() => void this.#probe(), PROBE_MS).unref();
      this.#started = this.#restart();
      this.#started.catch(() => {
        this.#started = undefined;
      });
      await this.#started;
      return;
    }
    await this.#started;
    await this.#list();
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    this.#unwatch();
  }

  async #restart(): Promise<void> {
    this.#unwatch();
    await this.#list();
    if (!this.#isClosed) this.#watch();
  }

  async #list(): Promise<void> {
    const { mirror } = this.#context;
    const prefix = this.#prefix;
    const before = this.#revision;
    const { header, kvs } = await this.#client.getAll().prefix(prefix).exec();
    this.#context.answered();
    const revision = BigInt(header.revision);
    // The watch may have been faster. A revision older than before the listing means a different store.
    if (revision < this.#revision && revision >= before) return;
    const isReplaced = revision < before;
    this.#revision = revision;
    mirror.replace(
      new Map(kvs.map(({ key, value }) => [key.toString().slice(prefix.length), value.toString()])),
    );
    if (isReplaced && this.#watcher !== undefined) this.#watch();
  }

  #watch(): void {
    this.#unwatch();
    const watcher = this.#client
      .watch()
      .prefix(this.#prefix)
      .startRevision(String(this.#revision + 1n))
      .watcher();
    this.#watcher = watcher;
    const ifCurrent = (then: () => void) => () => {
      if (this.#watcher === watcher && !this.#isClosed) then();
    };
    let isFirst = true;
    watcher.on("data", (response) => {
      if (this.#watcher === watcher) this.#apply(response);
    });
    watcher.on(
      "connected",
      ifCurrent(() => {
        if (!isFirst) this.#listSoon();
        isFirst = false;
      }),
    );
    // The watch has ended for good: its revision was compacted, or etcd requires a login.
    watcher.on(
      "error",
      ifCurrent(() => this.#restartSoon()),
    );
  }

  #unwatch(): void {
    const watcher = this.#watcher;
    this.#watcher = undefined;
    watcher?.on("error", () => {});
    watcher?.cancel().catch(() => {});
  }

  #apply({ header, events }: IWatchResponse): void {
    const { mirror } = this.#context;
    const prefix = this.#prefix;
    for (const { type, kv } of events) {
      // Already in a listing.
      if (BigInt(kv.mod_revision) <= this.#revision) continue;
      const key = kv.key.toString().slice(prefix.length);
      if (type === "Put") mirror.put(key, kv.value.toString());
      else mirror.delete(key);
    }
    const revision = BigInt(header.revision);
    if (events.length > 0 && revision > this.#revision) this.#revision = revision;
  }

  /** Detects what no event reports: that etcd is unreachable, or that the mirror differs from it. */
  async #probe(): Promise<void> {
    if (this.#isProbing || this.#isClosed || this.#started === undefined) return;
    this.#isProbing = true;
    try {
      const { mirror } = this.#context;
      const prefix = this.#prefix;
      if (this.#watcher === undefined) await this.#restart();
      else if (++this.#probes % PROBES_PER_LIST === 0) await this.#list();
      else if ((await this.#client.getAll().prefix(prefix).count()) !== mirror.size) await this.#list();
      this.#context.answered();
    } catch (error) {
      if (!this.#isClosed) this.#context.failed(error);
    } finally {
      this.#isProbing = false;
    }
  }

  #listSoon(): void {
    this.#list().catch((error) => this.#context.failed(error));
  }

  #restartSoon(): void {
    this.#unwatch();
    this.#restart().catch((error) => this.#context.failed(error));
  }
}
