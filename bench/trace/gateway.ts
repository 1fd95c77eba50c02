import {
  Chooser,
  exactPrompt,
  type GatewayShares,
  NO_PREFERENCES,
  OwnShare,
  POLICIES,
  type RoutedWorker,
  Selection,
  type Slot,
} from "#gateway";
import { type AddedLoad, createRouter, DEFAULT_WEIGHTS, type Decision, type Router } from "#router-wasm";
import type { Simulation } from "./simulation.ts";

const NO_LOAD: AddedLoad = { prefillTokens: 0, decodeBlocks: 0, requests: 0 };

/** A simulated gateway: a router and what it knows about the workers, and of other gateways what it is told. */
export class SimulatedGateway {
  readonly router: Router;
  readonly #chooser: Chooser;
  readonly #predicts: boolean;
  readonly #selection = new Selection();
  readonly #roster: readonly Slot<RoutedWorker>[];
  /** For each worker, what each other gateway has told that it has booked. */
  readonly #told: readonly Map<number, AddedLoad>[];

  /** @param index its index among the simulation's gateways */
  constructor(module: WebAssembly.Module, options: Simulation, index: number, random: () => number) {
    const { shape, workers, weights, knowledge, predictionSeconds, policy, gateways = 1 } = options;
    this.router = createRouter(module, {
      blockSize: shape.blockSize,
      maxWorkers: workers,
      maxBlocks: 16_777_216,
      ...(weights && { weights }),
    });
    for (let worker = 0; worker < workers; worker++) {
      this.router.addWorker();
      if (knowledge === "predictions")
        this.router.setPredictions(worker, {
          ttlSeconds: predictionSeconds,
          capacityBlocks: shape.totalBlocks,
        });
    }
    this.#told = Array.from({ length: workers }, () => new Map());
    this.#roster = Array.from({ length: workers }, (_, worker) => slotOf(worker, options));
    this.#predicts = knowledge === "predictions";
    const { prefillLoadScale } = { ...DEFAULT_WEIGHTS, ...weights };
    const shares = sharesOf(index, gateways);
    const scorers = options.prefersOwnShare ? [new OwnShare(() => shares, prefillLoadScale)] : [];
    this.#chooser = new Chooser(this.router, POLICIES[policy], scorers, random);
  }

  /** What this gateway itself has booked on a worker. */
  ownLoad(worker: number): AddedLoad {
    const { activePrefillTokens, activeDecodeBlocks, activeRequests } = this.router.load(worker);
    const others = this.#othersLoad(worker);
    return {
      prefillTokens: activePrefillTokens - others.prefillTokens,
      decodeBlocks: activeDecodeBlocks - others.decodeBlocks,
      requests: activeRequests - others.requests,
    };
  }

  /** Another gateway has told what it has booked on a worker. */
  setLoad(gateway: number, worker: number, load: AddedLoad, newPrefillTokens: number): void {
    const known = this.#told[worker]!;
    const { prefillTokens, decodeBlocks, requests } = known.get(gateway) ?? NO_LOAD;
    known.set(gateway, load);
    this.router.addLoad(worker, {
      prefillTokens: load.prefillTokens - prefillTokens,
      decodeBlocks: load.decodeBlocks - decodeBlocks,
      requests: load.requests - requests,
      recentPrefillTokens: newPrefillTokens,
    });
  }

  /** Takes over what another gateway knows of caches. */
  takeOver({ router }: SimulatedGateway, seconds: number): void {
    const workers = Array.from(this.#roster.keys());
    for (const each of [router, this.router]) each.passTime(seconds);
    for (const worker of workers)
      this.router.addLoad(worker, { ...NO_LOAD, recentPrefillTokens: router.recentPrefill(worker) });
    const merges = [
      this.router.merge([...router.snapshot()], new Map(workers.map((worker) => [worker, worker]))),
      ...workers.map((worker) => this.router.mergePredictions(worker, router.copyPredictions(worker))),
    ];
    for (const merge of merges) for (const _ of merge);
  }

  #othersLoad(worker: number): AddedLoad {
    let [prefillTokens, decodeBlocks, requests] = [0, 0, 0];
    for (const load of this.#told[worker]!.values()) {
      prefillTokens += load.prefillTokens;
      decodeBlocks += load.decodeBlocks;
      requests += load.requests;
    }
    return { prefillTokens, decodeBlocks, requests };
  }

  /** Chooses a worker and books the load. */
  choose(prompt: Uint32Array, seconds: number): Decision {
    const request = { prompt: exactPrompt(prompt), preferences: NO_PREFERENCES };
    const decision = this.#chooser.choose(request, this.#selection, this.#roster, seconds, { books: true });
    if (this.#predicts) this.router.predict(decision.worker);
    return decision;
  }
}

const sharesOf = (index: number, gateways: number): GatewayShares => ({
  own: `gateway-${index}`,
  weights: new Map(Array.from({ length: gateways }, (_, gateway) => [`gateway-${gateway}`, 1])),
});

const slotOf = (index: number, { shape }: Simulation): Slot<RoutedWorker> => ({
  worker: {
    instance: {
      id: `${index}`,
      name: `worker-${index}`,
      card: { role: "aggregated", tags: [], dataParallelSize: 1, ...shape },
    },
    isReady: true,
  },
  rank: 0,
  index,
  predictsOnly: false,
  isPredictable: true,
});
