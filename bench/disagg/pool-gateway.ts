import {
  Chooser,
  type DisaggregationOptions,
  exactPrompt,
  Filters,
  NO_PREFERENCES,
  PlanChooser,
  type PlanDecision,
  POLICIES,
  type RoutedWorker,
  SessionBindings,
  TransferCost,
  Workers,
} from "#gateway";
import { createRouter, type Decision, type Router } from "#router-wasm";
import type { WorkerShape } from "../trace/simulated-worker.ts";

/** How many workers have which role. */
export interface Pools {
  readonly aggregated: number;
  readonly prefill: number;
  readonly decode: number;
}

/** A simulated gateway's choice. */
export interface Choice {
  readonly decode: Decision;
  readonly prefill: Decision | undefined;
  readonly reason: PlanDecision["reason"];
}

/** The router of a gateway in front of pools of workers, without the gateway. */
export class PoolGateway {
  readonly router: Router;
  readonly cost = new TransferCost();
  /** By their index in the core. */
  readonly roles: readonly RoutedWorker["instance"]["card"]["role"][];
  readonly #plans: PlanChooser<RoutedWorker>;

  constructor(
    module: WebAssembly.Module,
    pools: Pools,
    shape: WorkerShape,
    options: DisaggregationOptions,
    random: () => number,
  ) {
    const { blockSize } = shape;
    this.roles = [
      ...Array<"aggregated">(pools.aggregated).fill("aggregated"),
      ...Array<"prefill">(pools.prefill).fill("prefill"),
      ...Array<"decode">(pools.decode).fill("decode"),
    ];
    this.router = createRouter(module, { blockSize, maxWorkers: this.roles.length, maxBlocks: 16_777_216 });
    const workers = new Workers<RoutedWorker>();
    for (const role of this.roles) {
      const index = this.router.addWorker();
      const card = { role, tags: [], dataParallelSize: 1, kvFormat: "mocker", ...shape };
      const instance = { id: `${index}`, name: `${role}-${index}`, card };
      workers.add({ instance, isReady: true }, [index], false);
    }
    const context = {
      workers,
      sessions: new SessionBindings<RoutedWorker>({ mode: "off", ttlMs: 1 }),
      random,
    };
    this.#plans = new PlanChooser({
      chooser: new Chooser(this.router, POLICIES.kv, [], random),
      workers,
      decode: new Filters(context, "decode"),
      prefill: new Filters(context, "prefill"),
      options,
      cost: this.cost,
      blockSize,
      load: (index) => this.router.load(index),
      mayWait: () => false,
      onPrefillBooked() {},
    });
  }

  /** Chooses who does what, and books it. */
  choose(prompt: Uint32Array, nowMs: number): Choice {
    const request = {
      prompt: exactPrompt(prompt),
      requestId: "",
      preferences: NO_PREFERENCES,
      excluded: [],
      remotePrefill: "possible" as const,
    };
    const { decode, prefill, reason } = this.#plans.choose(request, nowMs, nowMs / 1000, true);
    return { decode: { ...decode }, prefill, reason };
  }
}
