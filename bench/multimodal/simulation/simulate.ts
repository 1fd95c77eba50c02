import { seededRandom } from "#runtime";
import { Histogram } from "../../disagg/histogram.ts";
import { Timeline } from "../../disagg/timeline.ts";
import { type Quantiles, quantilesOf, sum } from "../../trace/simulate.ts";
import { PictureBlockNames } from "./block-names.ts";
import { type EmbeddingTransfer, EncodePool } from "./encode-pool.ts";
import { type EngineOptions, PictureEngine } from "./engine.ts";
import { PictureGateway, type Routing } from "./gateway.ts";
import { PictureRun } from "./picture-run.ts";
import type { PictureRequest } from "./requests.ts";

export interface PictureSimulation extends EngineOptions {
  readonly requests: readonly PictureRequest[];
  readonly routing: Routing;
  readonly gpus: number;
  /** Those of the GPUs that only encode; 0: each engine encodes its own requests' pictures. */
  readonly encoders: number;
  readonly transfer: EmbeddingTransfer;
  readonly limits: { readonly ttftMs: number; readonly itlMs: number };
}

export interface PictureResult {
  /** Share of the prompt tokens that were cached. */
  readonly hitRate: number;
  /** Share of the requests of which fewer tokens were cached than predicted. */
  readonly mispredicted: number;
  /** Share of the predicted tokens that were not cached. */
  readonly wrongTokens: number;
  readonly ttftMs: Quantiles;
  /** Of the requests with pictures. */
  readonly pictureTtftMs: Quantiles;
  /** Time between two tokens, over all tokens. */
  readonly itlMs: { readonly p50: number; readonly p99: number };
  /** Share of the requests that met both limits. */
  readonly good: number;
  readonly encodes: number;
  /** Share of the time that the GPUs that only encode were busy. */
  readonly encodersBusy: number;
}

/** Replays requests with pictures in virtual time through the real router core against mock engines. */
export function simulatePictures(
  module: WebAssembly.Module,
  simulation: PictureSimulation,
): Promise<PictureResult> {
  return new Run(module, simulation).run();
}

class Run {
  readonly #simulation: PictureSimulation;
  readonly #timeline = new Timeline();
  readonly #names: PictureBlockNames;
  readonly #gateway: PictureGateway;
  readonly #engines: readonly PictureEngine[];
  readonly #pool: EncodePool | undefined;
  readonly #gaps = new Histogram();
  readonly #ended: PictureRun[] = [];

  constructor(module: WebAssembly.Module, simulation: PictureSimulation) {
    const { shape, gpus, encoders, routing, encode, transfer } = simulation;
    this.#simulation = simulation;
    this.#names = new PictureBlockNames(shape.blockSize);
    const count = gpus - encoders;
    this.#gateway = new PictureGateway(module, routing, count, shape, seededRandom(1));
    this.#engines = Array.from(
      { length: count },
      (_, index) => new PictureEngine(simulation, this.#gateway.listenerOf(index, this.#names)),
    );
    if (encoders > 0) this.#pool = new EncodePool(encoders, this.#timeline, encode, transfer);
  }

  async run(): Promise<PictureResult> {
    for (const request of this.#simulation.requests)
      this.#timeline.at(request.arrivalMs, () => this.#arrive(request));
    while (this.#timeline.step()) {
      if (!this.#pool?.hasNews) continue;
      this.#pool.hasNews = false;
      // What waits for an encoder goes on at the same virtual time.
      await new Promise((resolve) => setImmediate(resolve));
    }
    return this.#result();
  }

  #arrive(request: PictureRequest): void {
    const { router } = this.#gateway;
    const { blockSize } = this.#names;
    const { worker, booking, overlapBlocks } = this.#gateway.choose(request, this.#timeline.now / 1000);
    // The last token is always computed.
    const predicted = Math.min(overlapBlocks * blockSize, request.promptTokens - 1);
    const run = new PictureRun(request, this.#names.namesOf(request), blockSize, predicted, {
      now: () => this.#timeline.now,
      onFirst: () => router.firstToken(booking),
      onBlock: () => router.grow(booking, 1),
      onGap: (ms) => this.#gaps.add(ms),
      onLast: () => {
        router.free(booking);
        this.#names.forget(request);
        this.#ended.push(run);
      },
    });
    const wanted = request.pictures.filter(({ offset, tokens }) => offset + tokens > predicted);
    if (this.#pool === undefined || wanted.length === 0) this.#start(worker, run);
    else
      this.#pool.deliver(wanted, () => {
        for (const { id } of wanted) run.delivered.add(id);
        this.#start(worker, run);
      });
  }

  #start(worker: number, run: PictureRun): void {
    const engine = this.#engines[worker]!;
    engine.add(run);
    if (!engine.isStepping) this.#step(engine);
  }

  #step(engine: PictureEngine): void {
    const duration = engine.begin();
    if (duration === undefined) return;
    this.#timeline.at(this.#timeline.now + duration, () => {
      engine.finish();
      this.#step(engine);
    });
  }

  #result(): PictureResult {
    const { limits, encoders, requests } = this.#simulation;
    const ended = this.#ended;
    if (ended.length !== requests.length)
      throw new Error(`Only ${ended.length} of ${requests.length} simulated requests have ended.`);
    const of = (value: (run: PictureRun) => number) => sum(ended.map(value));
    const withPictures = ended.filter(({ request }) => request.pictures.length > 0);
    const good = ended.filter(({ ttftMs, itlMs }) => ttftMs <= limits.ttftMs && itlMs <= limits.itlMs);
    const endMs = this.#timeline.now;
    return {
      hitRate: of((run) => run.cachedTokens) / of((run) => run.promptTokens),
      mispredicted: ended.filter((run) => run.isMispredicted).length / ended.length,
      wrongTokens:
        of((run) => Math.max(0, run.predictedTokens - run.cachedTokens)) /
        Math.max(
          1,
          of((run) => run.predictedTokens),
        ),
      ttftMs: quantilesOf(ended.map((run) => run.ttftMs)),
      pictureTtftMs: quantilesOf(withPictures.map((run) => run.ttftMs)),
      itlMs: { p50: this.#gaps.quantile(0.5), p99: this.#gaps.quantile(0.99) },
      good: good.length / ended.length,
      encodes: (this.#pool?.encodes ?? 0) + sum(this.#engines.map((engine) => engine.encodes)),
      encodersBusy: (this.#pool?.busyMs ?? 0) / (endMs * Math.max(1, encoders)),
    };
  }
}
