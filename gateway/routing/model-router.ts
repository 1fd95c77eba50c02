import { type CostWeights, createRouter, type Policy, type Router } from "#router-wasm";
import type { Instance, KvEvent, Logger } from "#runtime";

/** A worker as routing sees it. */
export interface RoutedWorker {
  readonly instance: Instance;
  /** The worker's index in the router core. */
  readonly index: number;
}

export interface RoutingOptions {
  policy: Policy;
  weights: Partial<CostWeights>;
}

export interface RouteRequest<Worker extends RoutedWorker> {
  prompt: Uint32Array;
  requestId: string;
  /** Id or name of the only worker that will do. */
  pinnedWorker: string | undefined;
  excluded: readonly Worker[];
}

/** A decision, booked: the router's handle for what happens to the request afterwards. */
export interface Route<Worker extends RoutedWorker> {
  readonly worker: Worker;
  /** Blocks of the prompt that the worker is known to hold. */
  readonly overlapBlocks: number;
  firstToken(): void;
  grow(blocks: number): void;
  /** Frees the load; only the first call counts. */
  free(): void;
}

/** One model's router: the WebAssembly core, and which worker each of its indices means. */
export class ModelRouter<Worker extends RoutedWorker = RoutedWorker> {
  readonly #core: Router;
  readonly #workers: (Worker | undefined)[] = [];
  readonly #policy: Policy;
  readonly #log: Logger;

  constructor(module: WebAssembly.Module, blockSize: number, options: RoutingOptions, log: Logger) {
    this.#core = createRouter(module, { blockSize, weights: options.weights });
    this.#policy = options.policy;
    this.#log = log;
  }

  /** Chooses a worker and books the request's load on it; undefined where none is ready. */
  route(request: RouteRequest<Worker>): Route<Worker> | undefined {
    const pinned = request.pinnedWorker === undefined ? undefined : this.#find(request.pinnedWorker);
    if (request.pinnedWorker !== undefined && pinned === undefined) return undefined;
    this.#core.tokenBuffer(request.prompt.length).set(request.prompt);
    const decision = this.#core.decide({
      tokenCount: request.prompt.length,
      policy: this.#policy,
      random: Math.random(),
      ...(pinned !== undefined && { pinnedWorker: pinned.index }),
      ...(request.excluded.length > 0 && { excluded: request.excluded.map((worker) => worker.index) }),
    });
    if (this.#log.isEnabled("debug")) this.#explain(request, decision.worker);
    const worker = this.#workers[decision.worker];
    if (worker === undefined) return undefined;
    return new BookedRoute(this.#core, worker, decision.overlapBlocks, decision.booking);
  }

  /** Short names of all workers, sorted. */
  workerNames(): string[] {
    return this.#workers.flatMap((worker) => worker?.instance.name ?? []).sort();
  }

  /** Whether a worker with this id or name is known here. */
  knows(worker: string): boolean {
    return this.#find(worker) !== undefined;
  }

  addWorker(worker: Worker): number {
    const index = this.#core.addWorker();
    this.#workers[index] = worker;
    this.#core.setEligible(index, false);
    return index;
  }

  removeWorker(worker: Worker): void {
    this.#core.removeWorker(worker.index);
    this.#workers[worker.index] = undefined;
  }

  setReady(worker: Worker, ready: boolean): void {
    if (this.#workers[worker.index] === worker) this.#core.setEligible(worker.index, ready);
  }

  clearWorker(worker: Worker): void {
    if (this.#workers[worker.index] === worker) this.#core.clearWorker(worker.index);
  }

  /** Feeds one of the worker's KV events to the index. */
  apply(worker: Worker, event: KvEvent): void {
    if (this.#workers[worker.index] !== worker) return;
    switch (event.type) {
      case "stored":
        this.#core.applyStored(worker.index, event.blockHashes, event.parentHash, event.tokenIds);
        break;
      case "removed":
        this.#core.applyRemoved(worker.index, event.blockHashes);
        break;
      case "cleared":
        this.#core.clearWorker(worker.index);
        break;
    }
  }

  load(worker: Worker) {
    return this.#core.load(worker.index);
  }

  stats() {
    return this.#core.stats();
  }

  #find(idOrName: string): Worker | undefined {
    return this.#workers.find(
      (worker) =>
        worker !== undefined && (worker.instance.id === idOrName || worker.instance.name === idOrName),
    );
  }

  #explain(request: RouteRequest<Worker>, chosen: number): void {
    for (const { worker, overlapBlocks, prefill, decode, total } of this.#core.explain()) {
      this.#log.debug("candidate", {
        request: request.requestId,
        worker: this.#workers[worker]?.instance.name,
        overlapBlocks,
        prefill,
        decode,
        total,
      });
    }
    this.#log.debug("chosen", {
      request: request.requestId,
      policy: this.#policy,
      worker: this.#workers[chosen]?.instance.name ?? "none is ready",
    });
  }
}

class BookedRoute<Worker extends RoutedWorker> implements Route<Worker> {
  readonly worker: Worker;
  readonly overlapBlocks: number;
  readonly #core: Router;
  readonly #booking: number;
  #freed = false;

  constructor(core: Router, worker: Worker, overlapBlocks: number, booking: number) {
    this.#core = core;
    this.worker = worker;
    this.overlapBlocks = overlapBlocks;
    this.#booking = booking;
  }

  firstToken(): void {
    if (!this.#freed) this.#core.firstToken(this.#booking);
  }

  grow(blocks: number): void {
    if (!this.#freed) this.#core.grow(this.#booking, blocks);
  }

  free(): void {
    if (this.#freed) return;
    this.#freed = true;
    this.#core.free(this.#booking);
  }
}
