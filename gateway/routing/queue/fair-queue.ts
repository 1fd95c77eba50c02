import type { QueueOptions } from "./options.ts";

/** What decides on a request's place. */
export interface QueuePlace {
  /** Higher goes strictly first. */
  priority: number;
  /** Tenants of one priority share what there is, by their weights. */
  tenant: string;
  /** What the request takes of its tenant's share: uncached prompt tokens. */
  work: number;
}

/** Something that waits, and where. */
export interface Entry<Item> extends Readonly<QueuePlace> {
  readonly item: Item;
  /** Counts up by arrival. */
  readonly arrival: number;
}

/** Idle tenants of one priority that are remembered; clients may name as many as they like. */
const MAX_IDLE_TENANTS = 10_000;

/**
 * A bounded queue, without any waiting in it. Order of service: the highest priority first; within it the tenant
 * that has had the least of its share (start-time fair queueing: each entry moves its tenant's clock on by work ÷
 * weight, and a tenant that comes back starts at the clock of whoever was served last, so that idling saves
 * nothing up); within a tenant by arrival, or least work first.
 */
export class FairQueue<Item> {
  readonly #options: Pick<QueueOptions, "limit" | "policy" | "tenantWeights">;
  /** By priority, the highest first. */
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

  /** Adds an item, whether or not there is room. */
  push(item: Item, place: QueuePlace): Entry<Item> {
    const entry = { item, arrival: this.#arrivals++, ...place };
    this.#classOf(place.priority).add(entry);
    this.#size++;
    return entry;
  }

  /** The next to be served of those that `isBlocked` does not rule out. */
  next(isBlocked: (item: Item) => boolean): Entry<Item> | undefined {
    for (const each of this.#classes) {
      const entry = each.next(isBlocked);
      if (entry !== undefined) return entry;
    }
    return undefined;
  }

  /** The last in order, if its priority is below this one: who has to make room. */
  lastBelow(priority: number): Entry<Item> | undefined {
    const lowest = this.#classes.at(-1);
    return lowest !== undefined && lowest.priority < priority ? lowest.last() : undefined;
  }

  every(test: (item: Item) => boolean): boolean {
    return this.#classes.every((each) => each.every(test));
  }

  /** Takes out an entry that is served: its tenant pays for it. */
  serve(entry: Entry<Item>): void {
    this.#leave(entry, true);
  }

  /** Takes out an entry that has given up, at no cost. */
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
  /** Where its next entry starts, in work ÷ weight. */
  clock: number;
  /** In order of service. */
  readonly entries: Entry<Item>[];
}

class PriorityClass<Item> {
  readonly priority: number;
  readonly #policy: QueueOptions["policy"];
  readonly #weights: QueueOptions["tenantWeights"];
  /** Those with entries. */
  readonly #waiting = new Map<string, Tenant<Item>>();
  /** Those that have none any more, but have had more than their share. */
  readonly #idle = new Map<string, Tenant<Item>>();
  /** The clock of the tenant that was served last. */
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
