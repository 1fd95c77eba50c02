import type { Etcd3, Watcher as EtcdWatcher, IWatchResponse } from "etcd3";
import type { RemoteContext } from "../remote.ts";

/** How often etcd is asked whether it is there, and how much it holds, in milliseconds. */
const PROBE_MS = 2_000;
/** Every so many probes all is listed again: etcd 3.4 and 3.5 have lost a delete that met a compaction. */
const PROBES_PER_LIST = 30;

/**
 * Keeps a mirror equal to what etcd holds under a prefix: a listing, then a watch, and a new listing after every
 * reconnect, which alone also notices a store with another history.
 */
export class Follower {
  readonly #client: Etcd3;
  /** Before every key. */
  readonly #prefix: string;
  readonly #context: RemoteContext;
  /** The revision that the mirror is at. */
  #revision = 0n;
  #watcher: EtcdWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;
  #probes = 0;
  #isProbing = false;
  #isOver = false;
  #started: Promise<void> | undefined;

  constructor(client: Etcd3, prefix: string, context: RemoteContext) {
    this.#client = client;
    this.#prefix = prefix;
    this.#context = context;
  }

  /** Resolves when the mirror holds all that was in etcd when this was called. @throws what listing throws */
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
    this.#isOver = true;
    clearInterval(this.#timer);
    this.#unwatch();
  }

  async #restart(): Promise<void> {
    this.#unwatch();
    await this.#list();
    if (!this.#isOver) this.#watch();
  }

  async #list(): Promise<void> {
    const { mirror } = this.#context;
    const prefix = this.#prefix;
    const before = this.#revision;
    const { header, kvs } = await this.#client.getAll().prefix(prefix).exec();
    this.#context.answered();
    const revision = BigInt(header.revision);
    // A watch may have been faster; but what is older than what was known before is another store.
    if (revision < this.#revision && revision >= before) return;
    const isOther = revision < before;
    this.#revision = revision;
    mirror.replace(
      new Map(kvs.map(({ key, value }) => [key.toString().slice(prefix.length), value.toString()])),
    );
    if (isOther && this.#watcher !== undefined) this.#watch();
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
      if (this.#watcher === watcher && !this.#isOver) then();
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
    // It never comes back: its revision was compacted away, or etcd wants another login.
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
      // A listing was faster.
      if (BigInt(kv.mod_revision) <= this.#revision) continue;
      const key = kv.key.toString().slice(prefix.length);
      if (type === "Put") mirror.put(key, kv.value.toString());
      else mirror.delete(key);
    }
    const revision = BigInt(header.revision);
    if (events.length > 0 && revision > this.#revision) this.#revision = revision;
  }

  /** Notices what no event tells: that etcd is away, or holds something else than the mirror. */
  async #probe(): Promise<void> {
    if (this.#isProbing || this.#isOver || this.#started === undefined) return;
    this.#isProbing = true;
    try {
      const { mirror } = this.#context;
      const prefix = this.#prefix;
      if (this.#watcher === undefined) await this.#restart();
      else if (++this.#probes % PROBES_PER_LIST === 0) await this.#list();
      else if ((await this.#client.getAll().prefix(prefix).count()) !== mirror.size) await this.#list();
      this.#context.answered();
    } catch (error) {
      if (!this.#isOver) this.#context.failed(error);
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
