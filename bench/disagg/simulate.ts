import type { DisaggregationOptions } from "#gateway";
import { seededRandom } from "#runtime";
import type { StepTiming } from "#workers";
import { BlockNames } from "../trace/block-names.ts";
import { type Quantiles, quantilesOf, sum } from "../trace/simulate.ts";
import { SimulatedWorker, type WorkerShape } from "../trace/simulated-worker.ts";
import { StepEvents } from "../trace/step-events.ts";
import type { TraceRequest } from "../trace/trace.ts";
import { Histogram } from "./histogram.ts";
import { type Choice, PoolGateway, type Pools } from "./pool-gateway.ts";
import { Timeline } from "./timeline.ts";
import { type Part, RequestPart, type Traced } from "./traced-request.ts";

export interface DisaggSimulation {
  readonly trace: readonly TraceRequest[];
  readonly pools: Pools;
  readonly shape: WorkerShape;
  readonly timing: StepTiming;
  readonly disaggregation: DisaggregationOptions;
  readonly transfer: TransferSpeed;
}

/** How KV moves. */
export interface TransferSpeed {
  readonly latencyMs: number;
  readonly bytesPerToken: number;
  /** In GB/s. */
  readonly bandwidth: number;
}

export interface DisaggResult {
  /** Time to first token in milliseconds. */
  readonly ttftMs: Quantiles;
  /** Time between two tokens of an answer, over all tokens. */
  readonly itlMs: { readonly p50: number; readonly p99: number };
  /** Mean time between the tokens of a request, over requests. */
  readonly tpotMs: Quantiles;
  readonly hitRate: number;
  /** Share of the prompts that a prefill worker computed. */
  readonly remoteShare: number;
  /** Requests a second that met both limits. */
  readonly goodput: number;
  readonly requestsPerSecond: number;
  /** Share of the time in steps. */
  readonly prefillBusy: number;
  readonly decodeBusy: number;
}

export interface Limits {
  readonly ttftMs: number;
  readonly tpotMs: number;
}

/** Replays a trace in virtual time through the real router core and its plans, against mock workers with roles. */
export function simulateDisagg(
  module: WebAssembly.Module,
  simulation: DisaggSimulation,
  limits: Limits,
): DisaggResult {
  return new Run(module, simulation).run(limits);
}

class Run {
  readonly #simulation: DisaggSimulation;
  readonly #gateway: PoolGateway;
  readonly #names: BlockNames;
  readonly #workers: SimulatedWorker[];
  readonly #timeline = new Timeline();
  readonly #gaps = new Histogram();
  readonly #ended: Traced[] = [];
  #remote = 0;

  constructor(module: WebAssembly.Module, simulation: DisaggSimulation) {
    const { trace, pools, shape, timing, disaggregation } = simulation;
    this.#simulation = simulation;
    this.#names = new BlockNames(trace, shape.blockSize);
    this.#gateway = new PoolGateway(module, pools, shape, disaggregation, seededRandom(1));
    const { router, roles } = this.#gateway;
    this.#workers = roles.map(
      (_, index) => new SimulatedWorker(shape, timing, new StepEvents(router, index, this.#names)),
    );
  }

  run(limits: Limits): DisaggResult {
    for (const [index, request] of this.#simulation.trace.entries())
      this.#timeline.at(request.arrivalMs, () => this.#arrive(index, request));
    this.#timeline.run();
    return this.#result(limits);
  }

  #arrive(index: number, request: TraceRequest): void {
    const prompt = new Uint32Array(request.promptTokens);
    this.#names.writePrompt(index, prompt);
    const arrivalMs = this.#timeline.now;
    const choice = this.#gateway.choose(prompt, arrivalMs);
    const traced = { request, index, arrivalMs, tokens: 0, firstMs: 0, lastMs: 0, cachedTokens: 0 };
    if (choice.prefill === undefined) this.#answer(traced, choice, wholeOf(request));
    else this.#divide(traced, choice, choice.prefill);
  }

  #divide(traced: Traced, choice: Choice, { worker, booking }: NonNullable<Choice["prefill"]>): void {
    const { promptTokens, outputTokens } = traced.request;
    const { router, cost } = this.#gateway;
    const sentMs = this.#timeline.now;
    this.#remote++;
    this.#start(worker, traced, { promptTokens, maxTokens: 1 }, () => {
      router.firstToken(booking);
      cost.prefilled(promptTokens - traced.cachedTokens, (this.#timeline.now - sentMs) * 1000);
      this.#onToken(traced);
      const { latencyMs, bytesPerToken, bandwidth } = this.#simulation.transfer;
      const ms = latencyMs + (promptTokens * bytesPerToken) / (bandwidth * 1e6);
      this.#timeline.at(this.#timeline.now + ms, () => {
        router.free(booking);
        cost.transferred(promptTokens, ms * 1000);
        if (outputTokens === 1) this.#end(traced, choice);
        else
          this.#answer(traced, choice, {
            promptTokens: promptTokens + 1,
            maxTokens: outputTokens - 1,
            importedTokens: promptTokens,
          });
      });
    });
  }

  /** The decode worker answers, from the start or from the second token on. */
  #answer(traced: Traced, choice: Choice, part: Part): void {
    const { router } = this.#gateway;
    const { worker, booking } = choice.decode;
    const { blockSize } = this.#names;
    this.#start(worker, traced, part, (isLast) => {
      if (traced.tokens === 0) router.firstToken(booking);
      this.#onToken(traced);
      if ((traced.request.promptTokens + traced.tokens) % blockSize === 0) router.grow(booking, 1);
      if (isLast) this.#end(traced, choice);
    });
  }

  #onToken(traced: Traced): void {
    const { now } = this.#timeline;
    if (traced.tokens === 0) traced.firstMs = now;
    else this.#gaps.add(now - traced.lastMs);
    traced.tokens++;
    traced.lastMs = now;
  }

  #end(traced: Traced, { decode }: Choice): void {
    this.#gateway.router.free(decode.booking);
    this.#ended.push(traced);
  }

  #start(worker: number, traced: Traced, part: Part, onToken: (isLast: boolean) => void): void {
    this.#workers[worker]!.add(new RequestPart(traced, part, this.#names, onToken));
    if (!this.#workers[worker]!.isStepping) this.#step(worker);
  }

  #step(worker: number): void {
    const duration = this.#workers[worker]!.begin();
    if (duration === undefined) return;
    this.#timeline.at(this.#timeline.now + duration, () => {
      this.#workers[worker]!.finish();
      this.#step(worker);
    });
  }

  #result({ ttftMs, tpotMs }: Limits): DisaggResult {
    const { trace } = this.#simulation;
    const ended = this.#ended;
    const ttfts = ended.map(({ firstMs, arrivalMs }) => firstMs - arrivalMs);
    const tpots = ended.flatMap(({ firstMs, lastMs, tokens }) =>
      tokens > 1 ? [(lastMs - firstMs) / (tokens - 1)] : [],
    );
    const good = ended.filter(
      ({ firstMs, lastMs, arrivalMs, tokens }) =>
        firstMs - arrivalMs <= ttftMs && (tokens < 2 || (lastMs - firstMs) / (tokens - 1) <= tpotMs),
    );
    const seconds = (trace.at(-1)!.arrivalMs - trace[0]!.arrivalMs) / 1000;
    const busy = (isWanted: (role: string) => boolean) => {
      const those = this.#workers.filter((_, index) => isWanted(this.#gateway.roles[index]!));
      return sum(those.map(({ busyMs }) => busyMs)) / (this.#timeline.now * Math.max(1, those.length));
    };
    return {
      ttftMs: quantilesOf(ttfts),
      itlMs: { p50: this.#gaps.quantile(0.5), p99: this.#gaps.quantile(0.99) },
      tpotMs: quantilesOf(tpots),
      hitRate:
        sum(ended.map(({ cachedTokens }) => cachedTokens)) /
        sum(trace.map(({ promptTokens }) => promptTokens)),
      remoteShare: this.#remote / trace.length,
      goodput: good.length / seconds,
      requestsPerSecond: trace.length / seconds,
      prefillBusy: busy((role) => role === "prefill"),
      decodeBusy: busy((role) => role !== "prefill"),
    };
  }
}

const wholeOf = ({ promptTokens, outputTokens }: TraceRequest): Part => ({
  promptTokens,
  maxTokens: outputTokens,
});
