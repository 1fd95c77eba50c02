import type { QueueOptions } from "./options.ts";

/** What determines a request's place in the queue. */
export interface QueuePlace {
  /** Higher priorities strictly go first. */
  priority: number;
  /** Tenants of equal priority share capacity by their weights. */
  tenant: string;
  /** The request's cost to its tenant's share: uncached prompt tokens. */
  work: number;
}

/** A waiting item and its place. */
export interface Entry<Item> extends Readonly<QueuePlace> {
  readonly item: Item;
  /** Increases with each arrival. */
  readonly arrival: number;
}

/** How many idle tenants are remembered per priority. This is bounded because clients choose the names. */
const MAX_IDLE_TENANTS = 10_000;

/**
 * A bounded queue; only the data structure, without timers. Order of service: the highest priority first; within a
 * priority, the tenant that has used the least of its share (start-time fair queueing: each entry advances its tenant's
 * clock by work ÷ weight, and a returning tenant starts at the clock of the last served one, so that idle time earns no
 * credit); within a tenant, by arrival or least work first.
 */
export class FairQueue<Item> {
  readonly #options: Pick<QueueOptions, "limit" | "policy" | "tenantWeights">;
  /** Highest priority first. */
  #classes: PriorityClass<Item>[] = [];
  #size = 0;
  #arrivals = 0;

  constructor(options: Pick<QueueOptions, "limit" | "policy" | "tenantWeights">) {
    this.#options = options;
  }

  get size(): number {
    return this.#size;
  }

  get isFull(): boolean {
    return this.#size >= this.#options.limit;
  }

  /** Adds an item, even if the queue is full. */
  push(item: Item, place: QueuePlace): Entry<Item> {
    const entry = { item, arrival: this.#arrivals++, ...place };
    this.#classOf(place.priority).add(entry);
    this.#size++;
    return entry;
  }

  /** The next entry to serve that is not blocked. */
  next(isBlocked: (item: Item) => boolean): Entry<Item> | undefined {
    for (const each of this.#classes) {
      const entry = each.next(isBlocked);
      if (entry !== undefined) return entry;
    }
    return undefined;
  }

  /** The last entry in order, to be displaced, if its priority is below this one. */
  lastBelow(priority: number): Entry<Item> | undefined {
    const lowest = this.#classes.at(-1);
    return lowest !== undefined && lowest.priority < priority ? lowest.last() : undefined;
  }

  every(test: (item: Item) => boolean): boolean {
    return this.#classes.every((each) => each.every(test));
  }

  /** Removes a served entry, whose work is charged to its tenant. */
  serve(entry: Entry<Item>): void {
    this.#leave(entry, true);
  }

  /** Removes an entry that is not served, at no cost. */
  remove(entry: Entry<Item>): void {
    this.#leave(entry, false);
  }

  #leave(entry: Entry<Item>, isServed: boolean): void {
    const from = this.#classes.find(({ priority }) => priority === entry.priority);
    if (from === undefined || !from.delete(entry, isServed)) return;
    this.#size--;
    if (from.isEmpty) this.#classes = this.#classes.filter((each) => each !== from);
  }

  #classOf(priority: number): PriorityClass<Item> {
    const found = this.#classes.find((each) => each.priority === priority);
    if (found !== undefined) return found;
    const { policy, tenantWeights } = this.#options;
    const created = new PriorityClass<Item>(priority, policy, tenantWeights);
    this.#classes = [...this.#classes, created].sort((a, b) => b.priority - a.priority);
    return created;
  }
}

interface Tenant<Item> {
  readonly name: string;
  /** Start of its next entry, in work ÷ weight. */
  clock: number;
  /** In order of service. */
  readonly entries: Entry<Item>[];
}

class PriorityClass<Item> {
  readonly priority: number;
  readonly #policy: QueueOptions["policy"];
  readonly #weights: QueueOptions["tenantWeights"];
  /** Tenants with entries. */
  readonly #waiting = new Map<string, Tenant<Item>>();
  /** Tenants without entries, with the clock they had. */
  readonly #idle = new Map<string, Tenant<Item>>();
  /** The clock of the last served tenant. */
  #clock = 0;

  constructor(priority: number, policy: QueueOptions["policy"], weights: QueueOptions["tenantWeights"]) {
    this.priority = priority;
    this.#policy = policy;
    this.#weights = weights;
  }

  get isEmpty(): boolean {
    return this.#waiting.size === 0;
  }

  add(entry: Entry<Item>): void {
    const tenant = this.#waiting.get(entry.tenant) ?? this.#join(entry.tenant);
    const { entries } = tenant;
    let low = 0;
    let high = entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#isBefore(entries[middle]!, entry)) low = middle + 1;
      else high = middle;
    }
    entries.splice(low, 0, entry);
  }

  next(isBlocked: (item: Item) => boolean): Entry<Item> | undefined {
    let best: Entry<Item> | undefined;
    let bestClock = Number.POSITIVE_INFINITY;
    for (const { clock, entries } of this.#waiting.values()) {
      if (clock > bestClock) continue;
      const entry = entries.find(({ item }) => !isBlocked(item));
      if (entry === undefined || (clock === bestClock && entry.arrival > best!.arrival)) continue;
      best = entry;
      bestClock = clock;
    }
    return best;
  }

  every(test: (item: Item) => boolean): boolean {
    return [...this.#waiting.values()].every(({ entries }) => entries.every(({ item }) => test(item)));
  }

  last(): Entry<Item> | undefined {
    let last: Tenant<Item> | undefined;
    for (const tenant of this.#waiting.values()) {
      if (last === undefined || tenant.clock >= last.clock) last = tenant;
    }
    return last?.entries.at(-1);
  }

  delete(entry: Entry<Item>, isServed: boolean): boolean {
    const tenant = this.#waiting.get(entry.tenant);
    const index = tenant?.entries.indexOf(entry) ?? -1;
    if (tenant === undefined || index < 0) return false;
    tenant.entries.splice(index, 1);
    if (isServed) {
      this.#clock = tenant.clock;
      tenant.clock += Math.max(1, entry.work) / (this.#weights.get(tenant.name) ?? 1);
    }
    if (tenant.entries.length === 0) this.#retire(tenant);
    return true;
  }

  #isBefore(a: Entry<Item>, b: Entry<Item>): boolean {
    if (this.#policy === "shortest" && a.work !== b.work) return a.work < b.work;
    return a.arrival < b.arrival;
  }

  #join(name: string): Tenant<Item> {
    const tenant = this.#idle.get(name) ?? { name, clock: 0, entries: [] };
    this.#idle.delete(name);
    tenant.clock = Math.max(tenant.clock, this.#clock);
    this.#waiting.set(name, tenant);
    return tenant;
  }

  #retire(tenant: Tenant<Item>): void {
    this.#waiting.delete(tenant.name);
    this.#idle.set(tenant.name, tenant);
    const [oldest] = this.#idle.keys();
    if (this.#idle.size > MAX_IDLE_TENANTS && oldest !== undefined) this.#idle.delete(oldest);
  }
}
