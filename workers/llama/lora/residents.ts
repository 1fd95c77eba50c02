/** Something that is expensive to keep, and can be made again. */
interface Closable {
  close(): Promise<void>;
}

/** How it is made: the first time together with a way to make it again. */
export type Make<Item> = () => Promise<{ context: Item; reopen: () => Promise<Item> }>;

/** One of several things of which only some are kept. */
export interface Resident<Item> {
  /** Undefined while it is not kept. */
  context: Promise<Item> | undefined;
  readonly reopen: () => Promise<Item>;
  users: number;
  isRetired: boolean;
}

/**
 * Keeps at most a number of things, those that were used last. One in use is never closed: when all are in use, the next
 * one waits.
 */
export class Residents<Item extends Closable> {
  readonly #most: number;
  /** Those that are kept, the least recently used first. */
  readonly #kept = new Map<Resident<Item>, Item>();
  /** Places are taken one after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  #onIdle = Promise.withResolvers<void>();

  constructor(most: number) {
    this.#most = most;
  }

  get contexts(): Item[] {
    return [...this.#kept.values()];
  }

  /** Makes a new one. */
  add(make: Make<Item>): Promise<Resident<Item>> {
    return this.#inTurn(async () => {
      await this.#makeRoom();
      const { context, reopen } = await make();
      const resident = { context: Promise.resolve(context), reopen, users: 0, isRetired: false };
      this.#kept.set(resident, context);
      return resident;
    });
  }

  /** Begins to use one; `exit` must follow. Rejects with the signal's reason if that aborts while it waits. */
  async enter(resident: Resident<Item>, signal: AbortSignal): Promise<Item> {
    signal.throwIfAborted();
    resident.users++;
    resident.context ??= this.#inTurn(() => this.#reopen(resident));
    try {
      const item = await orAborted(resident.context, signal);
      // Now it is the one that was used last.
      this.#kept.delete(resident);
      this.#kept.set(resident, item);
      return item;
    } catch (error) {
      this.exit(resident);
      throw error;
    }
  }

  exit(resident: Resident<Item>): void {
    resident.users--;
    if (resident.users > 0) return;
    if (resident.isRetired) void this.#close(resident);
    this.#onIdle.resolve();
    this.#onIdle = Promise.withResolvers();
  }

  /** Closes one for good, as soon as it is not in use. */
  async retire(resident: Resident<Item>): Promise<void> {
    resident.isRetired = true;
    if (resident.users === 0) await this.#close(resident);
  }

  async #reopen(resident: Resident<Item>): Promise<Item> {
    try {
      await this.#makeRoom();
      const item = await resident.reopen();
      this.#kept.set(resident, item);
      // All that waited for it may have left meanwhile.
      if (resident.isRetired && resident.users === 0) await this.#close(resident);
      return item;
    } catch (error) {
      resident.context = undefined;
      throw error;
    }
  }

  /** Closes the least recently used one if there are too many. */
  async #makeRoom(): Promise<void> {
    while (this.#kept.size >= this.#most) {
      const idle = [...this.#kept.keys()].find(({ users }) => users === 0);
      if (idle === undefined) await this.#onIdle.promise;
      else await this.#close(idle);
    }
  }

  async #close(resident: Resident<Item>): Promise<void> {
    const item = this.#kept.get(resident);
    this.#kept.delete(resident);
    resident.context = undefined;
    await item?.close();
  }

  #inTurn<Value>(work: () => Promise<Value>): Promise<Value> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done;
  }
}

function orAborted<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
