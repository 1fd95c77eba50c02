import type { Logger } from "#runtime";
import type { EngineWorker } from "../../dispatch/engines/engine-worker.ts";
import type { GatewayMetrics } from "../../metrics.ts";
import { ModelRouter } from "../../routing/model-router.ts";
import type { RoutingOptions } from "../../routing/options.ts";
import { Admission } from "../../routing/queue/admission.ts";
import type { RouteSource } from "../../routing/queue/route-source.ts";
import type { PromptReader } from "../preprocess/prompts/prompt-reader.ts";
import { ForwardModel } from "./forward-model.ts";
import type { ModelView, WorkerView } from "./models.ts";
import { SlowStart } from "./slow-start.ts";

export interface AttachedModelOptions {
  routerModule: WebAssembly.Module;
  routing: RoutingOptions;
  metrics: GatewayMetrics;
  log: Logger;
}

/** A model that attached engines serve, with its router. */
export class AttachedModel extends ForwardModel<EngineWorker> {
  readonly router: ModelRouter<EngineWorker>;
  readonly admission: RouteSource<EngineWorker>;
  readonly #queue: Admission<EngineWorker>;

  constructor(
    name: string,
    blockSize: number,
    prompts: Promise<PromptReader>,
    { routerModule, routing, metrics, log }: AttachedModelOptions,
  ) {
    super({ name, blockSize, prompts, metrics: metrics.forModel(name) });
    this.router = new ModelRouter(routerModule, blockSize, routing, this.metrics.routing, log);
    // Of its KV events, none have been kept while it had no place.
    this.router.onAdmitted = ({ engine }) => engine.followEvents();
    this.#queue = new Admission(name, this.router, routing.queue, this.metrics.routing);
    this.admission = new SlowStart(this.#queue, this.workers);
  }

  get isReady(): boolean {
    for (const { engine } of this.workers) if (engine.state === "ready") return true;
    return false;
  }

  /** Whether another engine can answer for this one. */
  hasOther(worker: EngineWorker): boolean {
    for (const other of this.workers) if (other !== worker && other.engine.state === "ready") return true;
    return false;
  }

  view(): ModelView {
    const { name, aliases, adapters, contextLength, created, router, isReady } = this;
    const workers = Array.from(this.workers, (worker): WorkerView => {
      const isShutOut = router.isShutOut(worker);
      const { state } = worker.engine;
      return {
        instance: worker.instance,
        status: isShutOut && state === "ready" ? "shut_out" : state,
        canServe: state === "ready" && !isShutOut,
        isShutOut,
        loads: () => router.loads(worker),
      };
    });
    const { waiting } = this.#queue;
    return { name, aliases, adapters, contextLength, created, workers, isReady, router, waiting };
  }
}
