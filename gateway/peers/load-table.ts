import { NO_LOAD, type RankLoad, type SharedLoads, type SharingRouter } from "../routing/load/shared-load.ts";
import type { LoadEntry, LoadMessage } from "./message.ts";

/** The load that other gateways have booked on each worker's ranks, and the changes of this gateway's own load. */
export class LoadTable {
  readonly #models = new Map<string, ModelLoads>();
  /** Called at the first change of this gateway's own load since `takeChanges`. */
  onChange: (() => void) | undefined;
  #hasChanges = false;

  /** A model's loads. */
  of(model: string): ModelLoads {
    const known = this.#models.get(model);
    if (known !== undefined) return known;
    const loads = new ModelLoads(() => this.#noteChange());
    this.#models.set(model, loads);
    return loads;
  }

  /** Applies another gateway's message. */
  apply(gateway: string, { isComplete, entries }: LoadMessage): void {
    if (isComplete) {
      const listed = new Set(entries.map(({ model, worker, rank }) => JSON.stringify([model, worker, rank])));
      for (const [model, loads] of this.#models)
        loads.keep(gateway, (worker, rank) => listed.has(JSON.stringify([model, worker, rank])));
    }
    for (const { model, worker, rank, newPrefillTokens, prefillTokens, decodeBlocks, requests } of entries)
      this.of(model).set(gateway, { worker, rank, prefillTokens, decodeBlocks, requests }, newPrefillTokens);
  }

  /** Frees all load of a gateway. */
  drop(gateway: string): void {
    for (const loads of this.#models.values()) loads.keep(gateway, () => false);
  }

  /** All of this gateway's own load. */
  own(): LoadEntry[] {
    return [...this.#models].flatMap(([model, loads]) => entriesOf(model, loads.own()));
  }

  /** The own load that has changed since the last call. */
  takeChanges(): LoadEntry[] {
    this.#hasChanges = false;
    return [...this.#models].flatMap(([model, loads]) => entriesOf(model, loads.takeChanges()));
  }

  #noteChange(): void {
    if (this.#hasChanges) return;
    this.#hasChanges = true;
    this.onChange?.();
  }
}

interface Place {
  readonly worker: string;
  readonly rank: number;
}

type PlacedLoad = Place & RankLoad;

type ChangedLoad = PlacedLoad & Pick<LoadEntry, "newPrefillTokens">;

/** One rank of a worker, and the load that each other gateway has booked on it. */
interface Rank extends Place {
  readonly byGateway: Map<string, RankLoad>;
  sum: RankLoad;
}

/** The loads of one model. */
export class ModelLoads implements SharedLoads {
  router: SharingRouter | undefined;
  readonly #onChange: () => void;
  readonly #ranks = new Map<string, Rank>();
  /** Ranks on which this gateway has booked load, and those of them that have changed. */
  readonly #own = new Map<string, Place>();
  readonly #changed = new Map<string, Place & { newPrefillTokens: number }>();

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  booked(worker: string, rank: number): RankLoad {
    return this.#ranks.get(keyOf(worker, rank))?.sum ?? NO_LOAD;
  }

  changed(worker: string, rank: number, newPrefillTokens = 0): void {
    const key = keyOf(worker, rank);
    const known = this.#changed.get(key);
    if (known !== undefined) {
      known.newPrefillTokens += newPrefillTokens;
      return;
    }
    this.#changed.set(key, { worker, rank, newPrefillTokens });
    this.#own.set(key, { worker, rank });
    this.#onChange();
  }

  set(gateway: string, { worker, rank, ...load }: PlacedLoad, newPrefillTokens: number): void {
    const key = keyOf(worker, rank);
    const known = this.#ranks.get(key) ?? { worker, rank, byGateway: new Map(), sum: NO_LOAD };
    if (isNone(load)) known.byGateway.delete(gateway);
    else known.byGateway.set(gateway, load);
    this.#update(key, known, newPrefillTokens);
  }

  /** Frees a gateway's load on the ranks for which `isKept` is false. */
  keep(gateway: string, isKept: (worker: string, rank: number) => boolean): void {
    for (const [key, rank] of this.#ranks)
      if (rank.byGateway.has(gateway) && !isKept(rank.worker, rank.rank)) {
        rank.byGateway.delete(gateway);
        this.#update(key, rank);
      }
  }

  own(): ChangedLoad[] {
    const all: ChangedLoad[] = [];
    for (const [key, place] of this.#own) {
      const load = this.#ownLoad(place);
      if (isNone(load)) this.#own.delete(key);
      else all.push({ ...place, ...load, newPrefillTokens: 0 });
    }
    return all;
  }

  takeChanges(): ChangedLoad[] {
    const changes = Array.from(this.#changed.values(), (place) => ({ ...place, ...this.#ownLoad(place) }));
    this.#changed.clear();
    return changes;
  }

  #ownLoad({ worker, rank }: Place): RankLoad {
    return this.router?.ownLoad(worker, rank) ?? NO_LOAD;
  }

  #update(key: string, rank: Rank, newPrefillTokens = 0): void {
    if (rank.byGateway.size === 0) this.#ranks.delete(key);
    else this.#ranks.set(key, rank);
    rank.sum = sumOf(rank.byGateway.values());
    this.router?.setBooked(rank.worker, rank.rank, rank.sum, newPrefillTokens);
  }
}

const keyOf = (worker: string, rank: number) => `${rank} ${worker}`;

const isNone = ({ prefillTokens, decodeBlocks, requests }: RankLoad) =>
  prefillTokens === 0 && decodeBlocks === 0 && requests === 0;

function sumOf(loads: Iterable<RankLoad>): RankLoad {
  let [prefillTokens, decodeBlocks, requests] = [0, 0, 0];
  for (const load of loads) {
    prefillTokens += load.prefillTokens;
    decodeBlocks += load.decodeBlocks;
    requests += load.requests;
  }
  return { prefillTokens, decodeBlocks, requests };
}

const entriesOf = (model: string, loads: readonly ChangedLoad[]): LoadEntry[] =>
  loads.map((load) => ({ model, ...load }));
