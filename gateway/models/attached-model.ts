import type { Logger } from "#runtime";
import type { GatewayMetrics } from "../kernel/metrics.ts";
import type { PromptReader } from "../prompts/prompt-reader.ts";
import { ModelRouter } from "../routing/model-router.ts";
import type { RoutingOptions } from "../routing/options.ts";
import { Admission } from "../routing/queue/admission.ts";
import type { RouteSource } from "../routing/queue/route-source.ts";
import { ForwardModel } from "./forward-model.ts";
import type { EngineWorker } from "./members/engine-worker.ts";
import type { ModelView, WorkerView } from "./model-view.ts";
import { SlowStart } from "./slow-start.ts";

export interface AttachedModelOptions {
  routerModule: WebAssembly.Module;
  routing: RoutingOptions;
  metrics: GatewayMetrics;
  log: Logger;
}

/** The router of blocks of one size, and the way to it. */
interface Routing {
  readonly router: ModelRouter<EngineWorker>;
  readonly queue: Admission<EngineWorker>;
  readonly admission: RouteSource<EngineWorker>;
}

/** A model that attached engines serve, with its router. */
export class AttachedModel extends ForwardModel<EngineWorker> {
  readonly #options: AttachedModelOptions;
  #routing: Routing;
  /** Engines whose KV events have shown that the router's block size is right. */
  readonly #agreeing = new Set<EngineWorker>();
  /** Engines whose KV events are of blocks of another size. */
  readonly #foreign = new Set<EngineWorker>();

  constructor(
    name: string,
    blockSize: number,
    prompts: Promise<PromptReader>,
    options: AttachedModelOptions,
  ) {
    super({ name, blockSize, prompts, metrics: options.metrics.forModel(name) });
    this.#options = options;
    this.#routing = this.#open();
  }

  get router(): ModelRouter<EngineWorker> {
    return this.#routing.router;
  }

  get admission(): RouteSource<EngineWorker> {
    return this.#routing.admission;
  }

  get isReady(): boolean {
    for (const { isReady } of this.workers) if (isReady) return true;
    return false;
  }

  /** Whether another engine can answer for this one. */
  hasOther(worker: EngineWorker): boolean {
    for (const other of this.workers) if (other !== worker && other.isReady) return true;
    return false;
  }

  join(worker: EngineWorker): void {
    this.workers.add(worker);
    this.router.addWorker(worker);
    this.updateMode(worker);
  }

  /** @param mayReturn whether requests for it are early and not wrong for a while: its engine has gone, or starts anew */
  leave(worker: EngineWorker, mayReturn: boolean): void {
    this.workers.delete(worker);
    this.#agreeing.delete(worker);
    this.#foreign.delete(worker);
    this.router.removeWorker(worker);
    if (mayReturn) this.left.add(worker.instance, performance.now());
  }

  /** Without events that can be used, what an engine holds is predicted as of those that have none. */
  updateMode(worker: EngineWorker): void {
    if (worker.engine.isPredicted || this.#foreign.has(worker)) this.router.predictOnly(worker);
    else this.router.followEvents(worker);
  }

  /**
   * Takes a batch of an engine's KV events. Their block size counts before what the operator and the engine say: the
   * router begins anew with it, unless other engines' events agree with what it has.
   * @throws KvEventError where the bytes are no such batch
   */
  applyPayload(worker: EngineWorker, payload: Uint8Array): void {
    const blockSize = this.router.applyPayload(worker, payload);
    if (blockSize === undefined) return;
    worker.engine.eventBlockSize = blockSize;
    if (blockSize === this.blockSize) {
      this.#agreeing.add(worker);
      if (this.#foreign.delete(worker)) this.updateMode(worker);
    } else if (this.#agreeing.size === 0) {
      const { log } = this.#options;
      log.info("the router takes the block size of an engine's KV events", {
        engine: worker.engine.name,
        model: this.name,
        blockSize,
        instead: this.blockSize,
      });
      this.resize(blockSize);
      this.#agreeing.add(worker);
      this.router.applyPayload(worker, payload);
    } else this.#noteForeign(worker, blockSize);
  }

  /** Begins anew with blocks of another size. Whoever waits for a worker goes on waiting. */
  resize(blockSize: number): void {
    const { router, queue } = this.#routing;
    this.blockSize = blockSize;
    this.#agreeing.clear();
    this.#foreign.clear();
    router.onAdmitted = undefined;
    for (const worker of this.workers) router.removeWorker(worker);
    this.#routing = this.#open();
    this.router.thresholds = router.thresholds;
    for (const worker of this.workers) {
      this.router.addWorker(worker);
      this.updateMode(worker);
    }
    queue.handOver(this.#routing.queue);
  }

  view(): ModelView {
    const { name, aliases, adapters, contextLength, created, router, isReady } = this;
    const workers = Array.from(this.workers, (worker): WorkerView => {
      const isShutOut = router.isShutOut(worker);
      const { state } = worker.engine;
      return {
        instance: worker.instance,
        status: isShutOut && worker.isReady ? "shut_out" : state,
        canServe: worker.isReady && !isShutOut,
        isShutOut,
        loads: () => router.loads(worker),
      };
    });
    const { waiting } = this.#routing.queue;
    return { name, aliases, adapters, contextLength, created, workers, isReady, router, waiting };
  }

  #open(): Routing {
    const { routerModule, routing, log } = this.#options;
    const { name, blockSize, metrics } = this;
    const router = new ModelRouter<EngineWorker>(routerModule, blockSize, routing, metrics.routing, log);
    // Of its KV events, none have been kept while it had no place.
    router.onAdmitted = ({ engine }) => engine.followEvents();
    router.onUnreadable = ({ engine }, what) => engine.noteUnreadable(what);
    const queue = new Admission(name, router, routing.queue, metrics.routing);
    return { router, queue, admission: new SlowStart(queue, () => this.workers) };
  }

  #noteForeign(worker: EngineWorker, blockSize: number): void {
    this.#agreeing.delete(worker);
    if (this.#foreign.has(worker)) return;
    this.#foreign.add(worker);
    this.#options.log.error(
      "an engine's KV events cannot be used: their block size is not that of the others",
      {
        engine: worker.engine.name,
        model: this.name,
        blockSize,
        expectedBlockSize: this.blockSize,
      },
    );
    worker.engine.noteUnreadable(
      `their blocks have ${blockSize} tokens, those of the other engines of ${this.name} ${this.blockSize}`,
    );
    this.updateMode(worker);
  }
}
