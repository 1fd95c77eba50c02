import { type CostWeights, createRouter, type Policy, type Router } from "#router-wasm";
import type { KvEvent } from "#runtime";
import type { StepTiming } from "#workers";
import { Agenda } from "./agenda.ts";
import { type SimulatedRequest, SimulatedWorker, type WorkerShape } from "./simulated-worker.ts";
import { TOKENS_PER_ID, type TraceRequest } from "./trace.ts";

export interface Simulation {
  trace: readonly TraceRequest[];
  workers: number;
  policy: Policy;
  /**
   * Where the router's knowledge of caches comes from: the workers' own events, or a guess that a worker holds
   * what was sent to it, for ever.
   */
  knowledge: "events" | "guess";
  weights?: Partial<CostWeights>;
  shape: WorkerShape;
  timing: StepTiming;
  /** A first token within this time and … */
  ttftSlaMs: number;
  /** … tokens no further apart on average make a request good. */
  itlSlaMs: number;
}

export interface SimulationResult {
  /** Share of all prompt tokens that came from a prefix cache. */
  hitRate: number;
  ttftMs: { p50: number; p90: number; p99: number };
  itlMs: { p50: number; p99: number };
  /** Good requests per second. */
  goodput: number;
  /** Most prompt tokens that one worker evaluated, over the mean of all. */
  imbalance: number;
  preemptions: number;
}

/** Replays a trace in virtual time through the real router core against mock workers. */
export function simulate(module: WebAssembly.Module, options: Simulation): SimulationResult {
  return new Run(module, options).run();
}

class Run {
  readonly #options: Simulation;
  readonly #router: Router;
  readonly #workers: SimulatedWorker[];
  readonly #agenda = new Agenda();
  readonly #random = createRandom(1);
  readonly #ttft: number[] = [];
  readonly #itl: number[] = [];
  #cachedTokens = 0;
  #promptTokens = 0;
  #good = 0;
  #now = 0;

  constructor(module: WebAssembly.Module, options: Simulation) {
    this.#options = options;
    const { shape, workers, weights } = options;
    this.#router = createRouter(module, {
      blockSize: shape.blockSize,
      maxWorkers: workers,
      maxBlocks: 16_777_216,
      ...(weights && { weights }),
    });
    this.#workers = Array.from({ length: workers }, () => {
      this.#router.addWorker();
      return new SimulatedWorker(shape, options.timing);
    });
  }

  run(): SimulationResult {
    const { trace } = this.#options;
    let next = 0;
    while (next < trace.length || this.#agenda.nextTime < Number.POSITIVE_INFINITY) {
      const arrival = trace[next]?.arrivalMs ?? Number.POSITIVE_INFINITY;
      if (arrival <= this.#agenda.nextTime) {
        this.#now = arrival;
        this.#arrive(trace[next]!, next);
        next++;
      } else {
        this.#now = this.#agenda.nextTime;
        this.#finishStep(this.#agenda.take());
      }
    }
    return this.#result();
  }

  #arrive(request: TraceRequest, index: number): void {
    const { shape, policy, knowledge } = this.#options;
    const simulated = new RunRequest(request, index, shape.blockSize, this.#now);
    this.#router.tokenBuffer(request.promptTokens).set(simulated.promptTokenIds());
    const { worker, booking } = this.#router.decide({
      tokenCount: request.promptTokens,
      policy,
      random: this.#random(),
    });
    if (knowledge === "guess") this.#guess(worker, simulated);
    this.#promptTokens += request.promptTokens;
    simulated.listen({
      onStart: (cached) => {
        this.#cachedTokens += cached;
      },
      onFirst: () => this.#router.firstToken(booking),
      onBlock: () => this.#router.grow(booking, 1),
      onLast: () => {
        this.#router.free(booking);
        this.#settle(simulated);
      },
      now: () => this.#now,
    });
    this.#workers[worker]!.add(simulated);
    if (!this.#workers[worker]!.isStepping) this.#beginStep(worker);
  }

  #guess(worker: number, request: RunRequest): void {
    const whole = Math.floor(request.promptTokens / this.#options.shape.blockSize);
    if (whole === 0) return;
    const hashes = BigUint64Array.from({ length: whole }, (_, block) => BigInt(request.hashAt(block)));
    const tokenIds = request.promptTokenIds().subarray(0, whole * this.#options.shape.blockSize);
    this.#router.applyStored(worker, hashes, undefined, tokenIds);
  }

  #beginStep(worker: number): void {
    const duration = this.#workers[worker]!.begin();
    if (duration !== undefined) this.#agenda.add(this.#now + duration, worker);
  }

  #finishStep(worker: number): void {
    const events = this.#workers[worker]!.finish();
    if (this.#options.knowledge === "events") for (const event of events) this.#apply(worker, event);
    this.#beginStep(worker);
  }

  #apply(worker: number, event: KvEvent): void {
    if (event.type === "stored") {
      this.#router.applyStored(worker, event.blockHashes, event.parentHash, event.tokenIds);
    } else if (event.type === "removed") this.#router.applyRemoved(worker, event.blockHashes);
  }

  #settle(request: RunRequest): void {
    const { ttftSlaMs, itlSlaMs } = this.#options;
    this.#ttft.push(request.ttftMs);
    this.#itl.push(request.itlMs);
    if (request.ttftMs <= ttftSlaMs && request.itlMs <= itlSlaMs) this.#good++;
  }

  #result(): SimulationResult {
    const ttft = this.#ttft.sort((a, b) => a - b);
    const itl = this.#itl.sort((a, b) => a - b);
    const loads = this.#workers.map((worker) => worker.prefilledTokens);
    const mean = loads.reduce((sum, load) => sum + load, 0) / loads.length;
    const { trace } = this.#options;
    const seconds = (trace.at(-1)!.arrivalMs - trace[0]!.arrivalMs) / 1000;
    return {
      hitRate: this.#cachedTokens / this.#promptTokens,
      ttftMs: { p50: quantile(ttft, 0.5), p90: quantile(ttft, 0.9), p99: quantile(ttft, 0.99) },
      itlMs: { p50: quantile(itl, 0.5), p99: quantile(itl, 0.99) },
      goodput: this.#good / seconds,
      imbalance: Math.max(...loads) / mean,
      preemptions: this.#workers.reduce((sum, worker) => sum + worker.preemptions, 0),
    };
  }
}

interface RunListener {
  onStart(cachedTokens: number): void;
  onFirst(): void;
  onBlock(): void;
  onLast(): void;
  now(): number;
}

/** A request of the trace on its way. Its blocks' hashes are numbers made of the trace's own ids. */
class RunRequest implements SimulatedRequest {
  readonly promptTokens: number;
  readonly maxTokens: number;
  ttftMs = 0;
  itlMs = 0;
  readonly #trace: TraceRequest;
  readonly #index: number;
  readonly #blockSize: number;
  readonly #arrivalMs: number;
  #listener: RunListener | undefined;
  #tokens = 0;
  #indices: Map<number, number> | undefined;

  constructor(trace: TraceRequest, index: number, blockSize: number, arrivalMs: number) {
    this.#trace = trace;
    this.#index = index;
    this.#blockSize = blockSize;
    this.#arrivalMs = arrivalMs;
    this.promptTokens = trace.promptTokens;
    this.maxTokens = trace.outputTokens;
  }

  listen(listener: RunListener): void {
    this.#listener = listener;
  }

  hashAt(index: number): number {
    const perId = TOKENS_PER_ID / this.#blockSize;
    const id = this.#trace.prefixIds[Math.floor(index / perId)];
    const isPrompt = (index + 1) * this.#blockSize <= this.promptTokens && id !== undefined;
    // What comes after the prompt is this request's own.
    return isPrompt ? 1 + id * perId + (index % perId) : 2 ** 40 + this.#index * 2 ** 12 + (index % 2 ** 12);
  }

  contentOf(hash: number) {
    const index = this.#indexOf(hash);
    const parent = index === 0 ? undefined : this.hashAt(index - 1);
    return { parent, tokenIds: new Uint32Array(this.#blockSize).fill(hash % 2 ** 32) };
  }

  /** Token ids of the prompt: a block's are all the same, and other than any other block's. */
  promptTokenIds(): Uint32Array {
    const ids = new Uint32Array(this.promptTokens);
    for (let start = 0, block = 0; start < ids.length; start += this.#blockSize, block++) {
      ids.fill(this.hashAt(block) % 2 ** 32, start, start + this.#blockSize);
    }
    return ids;
  }

  onStart(cachedTokens: number): void {
    this.#listener!.onStart(cachedTokens);
  }

  onToken(isLast: boolean): void {
    const listener = this.#listener!;
    const elapsed = listener.now() - this.#arrivalMs;
    if (this.#tokens++ === 0) {
      this.ttftMs = elapsed;
      listener.onFirst();
    }
    if ((this.promptTokens + this.#tokens) % this.#blockSize === 0) listener.onBlock();
    if (!isLast) return;
    this.itlMs = this.#tokens > 1 ? (elapsed - this.ttftMs) / (this.#tokens - 1) : 0;
    listener.onLast();
  }

  #indexOf(hash: number): number {
    this.#indices ??= new Map(
      Array.from(
        { length: Math.ceil((this.promptTokens + this.maxTokens) / this.#blockSize) },
        (_, index) => [this.hashAt(index), index],
      ),
    );
    return this.#indices.get(hash)!;
  }
}

const quantile = (sorted: readonly number[], q: number) =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0;

/** The same random numbers every time (mulberry32). */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
