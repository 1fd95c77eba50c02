import type { AddedLoad } from "#router-wasm";
import { seededRandom } from "#runtime";
import { Agenda } from "./agenda.ts";
import { BlockNames } from "./block-names.ts";
import { SimulatedGateway } from "./gateway.ts";
import { RunningRequest } from "./running-request.ts";
import { SimulatedWorker } from "./simulated-worker.ts";
import type { Replacement, Simulation } from "./simulation.ts";
import { EventFanOut, noEvents, StepEvents } from "./step-events.ts";
import type { TraceRequest } from "./trace.ts";

export interface Quantiles {
  p50: number;
  p90: number;
  p99: number;
}

export interface SimulationResult {
  /** Share of all prompt tokens that came from a prefix cache. */
  hitRate: number;
  /** The same for the requests that arrived in each of the asked times. */
  windowHitRates: number[];
  ttftMs: Quantiles;
  itlMs: Quantiles;
  /** Good requests per second. */
  goodput: number;
  /** Maximum tokens evaluated by a worker, prompts and output together, divided by the mean. */
  imbalance: number;
  /** Share of the time that the workers were in a step. */
  utilization: number;
  preemptions: number;
}

/** Replays a trace in virtual time through the real router core against mock workers. */
export function simulate(module: WebAssembly.Module, options: Simulation): SimulationResult {
  return new Run(module, options).run();
}

export function quantilesOf(numbers: readonly number[]): Quantiles {
  const sorted = [...numbers].sort((a, b) => a - b);
  const quantile = (q: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0;
  return { p50: quantile(0.5), p90: quantile(0.9), p99: quantile(0.99) };
}

interface Letter {
  readonly at: number;
  readonly gateway: number;
  readonly worker: number;
  readonly load: AddedLoad;
  readonly newPrefillTokens: number;
}

class Run {
  readonly #options: Simulation;
  readonly #module: WebAssembly.Module;
  /** All gateways, replaced ones included. */
  readonly #gateways: SimulatedGateway[];
  /** The indices of those that get requests. */
  readonly #fronts: number[];
  readonly #events: EventFanOut[] = [];
  readonly #names: BlockNames;
  readonly #workers: SimulatedWorker[];
  readonly #agenda = new Agenda();
  readonly #random = seededRandom(1);
  readonly #ended: RunningRequest[] = [];
  /** What gateways tell each other, in the order of its arrival. */
  readonly #letters: Letter[] = [];
  #now = 0;

  constructor(module: WebAssembly.Module, options: Simulation) {
    this.#module = module;
    this.#options = options;
    const { shape, workers, knowledge, gateways = 1 } = options;
    this.#names = new BlockNames(options.trace, shape.blockSize);
    this.#gateways = Array.from(
      { length: gateways },
      (_, index) => new SimulatedGateway(module, options, index, this.#random),
    );
    this.#fronts = [...this.#gateways.keys()];
    this.#workers = Array.from({ length: workers }, (_, worker) => {
      if (knowledge !== "events") return new SimulatedWorker(shape, options.timing, noEvents);
      const events = new EventFanOut(
        this.#gateways.map(({ router }) => new StepEvents(router, worker, this.#names)),
      );
      this.#events.push(events);
      return new SimulatedWorker(shape, options.timing, events);
    });
  }

  run(): SimulationResult {
    const { trace, replacement } = this.#options;
    let next = 0;
    let isReplaced = replacement === undefined;
    while (next < trace.length || this.#agenda.nextTime < Number.POSITIVE_INFINITY) {
      this.#deliver(Math.min(trace[next]?.arrivalMs ?? Number.POSITIVE_INFINITY, this.#agenda.nextTime));
      const arrival = trace[next]?.arrivalMs ?? Number.POSITIVE_INFINITY;
      if (arrival <= this.#agenda.nextTime) {
        this.#now = arrival;
        if (!isReplaced && arrival >= replacement!.atMs) {
          this.#replace(replacement!);
          isReplaced = true;
        }
        this.#arrive(next, trace[next]!);
        next++;
      } else {
        this.#now = this.#agenda.nextTime;
        const worker = this.#agenda.take();
        this.#workers[worker]!.finish();
        this.#beginStep(worker);
      }
    }
    return this.#result();
  }

  #replace({ start }: Replacement): void {
    const old = this.#gateways[0]!;
    const added = new SimulatedGateway(this.#module, this.#options, 0, this.#random);
    if (start === "warm") added.takeOver(old, this.#now / 1000);
    for (const events of this.#events) events.add(added.router);
    for (const [index, gateway] of this.#gateways.entries())
      for (const worker of this.#workers.keys()) added.setLoad(index, worker, gateway.ownLoad(worker), 0);
    this.#fronts[0] = this.#gateways.push(added) - 1;
  }

  #arrive(index: number, { promptTokens }: TraceRequest): void {
    const { trace } = this.#options;
    const prompt = new Uint32Array(promptTokens);
    this.#names.writePrompt(index, prompt);
    const from = this.#fronts[index % this.#fronts.length]!;
    const gateway = this.#gateways[from]!;
    const { router } = gateway;
    const { worker, booking, overlapBlocks } = gateway.choose(prompt, this.#now / 1000);
    const tell = (newTokens = 0) => this.#tell(from, worker, newTokens);
    tell(Math.max(0, promptTokens - overlapBlocks * this.#options.shape.blockSize));
    this.#workers[worker]!.add(
      new RunningRequest(trace[index]!, index, this.#names, {
        now: () => this.#now,
        onFirst: () => {
          router.firstToken(booking);
          tell();
        },
        onBlock: () => router.grow(booking, 1),
        onLast: (request) => {
          router.free(booking);
          tell();
          this.#ended.push(request);
        },
      }),
    );
    if (!this.#workers[worker]!.isStepping) this.#beginStep(worker);
  }

  /** A gateway tells the others what it has booked on a worker. */
  #tell(gateway: number, worker: number, newPrefillTokens: number): void {
    const { shareDelayMs } = this.#options;
    if (shareDelayMs === undefined || this.#gateways.length === 1) return;
    const load = this.#gateways[gateway]!.ownLoad(worker);
    this.#letters.push({ at: this.#now + shareDelayMs, gateway, worker, load, newPrefillTokens });
  }

  /** Delivers what arrives before a time. */
  #deliver(before: number): void {
    for (let first = this.#letters[0]; first !== undefined && first.at < before; first = this.#letters[0]) {
      this.#letters.shift();
      const { gateway, worker, load, newPrefillTokens } = first;
      for (const [index, other] of this.#gateways.entries())
        if (index !== gateway) other.setLoad(gateway, worker, load, newPrefillTokens);
    }
  }

  #beginStep(worker: number): void {
    const duration = this.#workers[worker]!.begin();
    if (duration !== undefined) this.#agenda.add(this.#now + duration, worker);
  }

  #result(): SimulationResult {
    const { trace, ttftSlaMs, itlSlaMs, windows = [] } = this.#options;
    const ended = this.#ended;
    const good = ended.filter(({ ttftMs, itlMs }) => ttftMs <= ttftSlaMs && itlMs <= itlSlaMs).length;
    const loads = this.#workers.map((worker) => worker.evaluatedTokens);
    const seconds = (trace.at(-1)!.arrivalMs - trace[0]!.arrivalMs) / 1000;
    return {
      hitRate:
        sum(ended.map(({ cachedTokens }) => cachedTokens)) /
        sum(trace.map((request) => request.promptTokens)),
      windowHitRates: windows.map(({ fromMs, toMs }) =>
        hitRateOf(ended.filter(({ arrivalMs }) => arrivalMs >= fromMs && arrivalMs < toMs)),
      ),
      ttftMs: quantilesOf(ended.map(({ ttftMs }) => ttftMs)),
      itlMs: quantilesOf(ended.map(({ itlMs }) => itlMs)),
      goodput: good / seconds,
      imbalance: (loads.reduce((most, load) => Math.max(most, load), 0) * loads.length) / sum(loads),
      utilization: sum(this.#workers.map(({ busyMs }) => busyMs)) / (this.#now * loads.length),
      preemptions: sum(this.#workers.map(({ preemptions }) => preemptions)),
    };
  }
}

const hitRateOf = (requests: readonly RunningRequest[]) =>
  sum(requests.map(({ cachedTokens }) => cachedTokens)) /
  sum(requests.map(({ promptTokens }) => promptTokens));

export const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);
