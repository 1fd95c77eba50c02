import type { Logger } from "#runtime";
import type { EngineWorker } from "../../dispatch/engines/engine-worker.ts";
import type { EngineModel } from "../../engines/types.ts";
import type { GatewayMetrics, ModelMetrics } from "../../metrics.ts";
import { ModelRouter } from "../../routing/model-router.ts";
import type { RoutingOptions } from "../../routing/options.ts";
import { Admission } from "../../routing/queue/admission.ts";
import { RecentlyLeft } from "../../routing/recently-left.ts";
import type { PromptReader } from "../preprocess/prompts/prompt-reader.ts";
import type { ModelView, WorkerView } from "./models.ts";
import type { RoutedModel } from "./routed-model.ts";

export interface AttachedModelOptions {
  routerModule: WebAssembly.Module;
  routing: RoutingOptions;
  metrics: GatewayMetrics;
  log: Logger;
}

const NONE: readonly EngineWorker[] = [];

/** A model that attached engines serve. */
export class AttachedModel implements RoutedModel<EngineWorker> {
  readonly kind = "engines";
  readonly name: string;
  readonly blockSize: number;
  readonly created = Math.floor(Date.now() / 1000);
  readonly router: ModelRouter<EngineWorker>;
  readonly admission: Admission<EngineWorker>;
  readonly left = new RecentlyLeft();
  readonly metrics: ModelMetrics;
  readonly workers = new Set<EngineWorker>();
  /** Turns a request's prompt into the tokens that the router compares. */
  readonly prompts: Promise<PromptReader>;

  constructor(
    name: string,
    blockSize: number,
    prompts: Promise<PromptReader>,
    options: AttachedModelOptions,
  ) {
    this.name = name;
    this.blockSize = blockSize;
    this.prompts = prompts;
    this.metrics = options.metrics.forModel(name);
    const { routerModule, routing, log } = options;
    this.router = new ModelRouter(routerModule, blockSize, routing, this.metrics.routing, log);
    this.admission = new Admission(name, this.router, routing.queue, this.metrics.routing);
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

  /**
   * Engines that this request is better not sent to, as they have come only just: each by chance, so that together
   * they get their growing shares. None where all have come together.
   */
  reluctant(now: number): readonly EngineWorker[] {
    let hasSettled = false;
    let isAnyNew = false;
    for (const { engine } of this.workers) {
      if (engine.state !== "ready") continue;
      if (engine.shareAt(now) < 1) isAnyNew = true;
      else hasSettled = true;
    }
    if (!isAnyNew || !hasSettled) return NONE;
    return [...this.workers].filter(({ engine }) => Math.random() >= engine.shareAt(now));
  }

  /** Longest prompt plus answer, in tokens, of the engine that takes most. */
  get contextLength(): number | undefined {
    const lengths = Array.from(this.workers, ({ model }) => model.contextLength ?? 0);
    return Math.max(0, ...lengths) || undefined;
  }

  /** Further names of the same weights. */
  get aliases(): string[] {
    return this.#names(({ aliases }) => aliases);
  }

  /** LoRA adapters on these weights. */
  get adapters(): string[] {
    return this.#names(({ adapters }) => adapters);
  }

  view(): ModelView {
    const { name, aliases, adapters, contextLength, created, router, isReady, admission } = this;
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
    const waiting = admission.waiting;
    return { name, aliases, adapters, contextLength, created, workers, isReady, router, waiting };
  }

  #names(of: (model: EngineModel) => readonly string[]): string[] {
    return [...new Set(Array.from(this.workers).flatMap(({ model }) => of(model)))];
  }
}
