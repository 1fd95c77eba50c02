import type { PredictionOptions, RouterOptions, Salt, Tier } from "../../router-wasm/index.ts";
import { ReferenceRouter, referenceLocalHashes } from "../../router-wasm/reference-model.ts";
import {
  type Choice,
  type Chosen,
  type Extras,
  type Hashes,
  hashesOf,
  mediaOf,
  rowOfCandidate,
  rowOfLoad,
  type Scenario,
  type Step,
  type TokenRuns,
  toHex,
  tokensOf,
} from "./trace.ts";
import { encodeBatch, type WireEvent } from "./wire.ts";

/** Blocks with their engine hashes. */
export interface Event extends Extras {
  workers: number[];
  hashes: Hashes;
  parent?: string;
  tokens: TokenRuns;
  tier?: Tier;
}

export interface Prompt extends Extras {
  tokens: TokenRuns;
}

/** Applies operations to the reference model, and records them with its answers. */
export class Recorder {
  readonly scenario: Scenario;
  readonly workers: number[] = [];
  readonly #model: ReferenceRouter;
  /** The model's handles by the numbers of bookings in the trace. */
  readonly #bookings: number[] = [];

  constructor(name: string, options: RouterOptions, salts: Salt[] = [{}]) {
    this.scenario = { name, options, salts, steps: [] };
    this.#model = new ReferenceRouter(options);
  }

  get bookings(): number {
    return this.#bookings.length;
  }

  addWorkers(count: number): void {
    for (let i = 0; i < count; i++) {
      const expect = this.#model.addWorker();
      this.workers.push(expect);
      this.#write({ do: "addWorker", expect });
    }
  }

  removeWorker(worker: number): void {
    this.#model.removeWorker(worker);
    this.workers.splice(this.workers.indexOf(worker), 1);
    this.#write({ do: "removeWorker", workers: [worker] });
  }

  clearWorkers(workers: number[]): void {
    for (const worker of workers) this.#model.clearWorker(worker);
    this.#write({ do: "clearWorker", workers });
  }

  clearShared(): void {
    this.#model.clearShared();
    this.#write({ do: "clearShared" });
  }

  setEligible(workers: number[], eligible: boolean): void {
    for (const worker of workers) this.#model.setEligible(worker, eligible);
    this.#write({ do: "setEligible", workers, eligible });
  }

  setLimits(workers: number[], limits: Extract<Step, { do: "setLimits" }>["limits"]): void {
    for (const worker of workers) this.#model.setLimits(worker, limits);
    this.#write({ do: "setLimits", workers, limits });
  }

  stored(event: Event): void {
    this.#write({ do: "applyStored", ...event, expect: this.#store(event) });
  }

  /** The same with local hashes instead of tokens. */
  hashed({ tokens, media: _, ...event }: Event): void {
    const expect = this.#store({ tokens, ...event });
    const locals = this.#localHashes({ tokens, ...event });
    const { salt: _salt, ...unsalted } = event;
    this.#write({ do: "applyHashed", ...unsalted, locals, expect });
  }

  copied(workers: number[], hashes: Hashes, tier: Tier): void {
    const expect = workers.map((worker) => this.#model.applyCopied(worker, hashesOf(hashes), tier));
    this.#write({ do: "applyCopied", workers, hashes, tier, expect });
  }

  removed(workers: number[], hashes: Hashes, tier: Tier = "device"): void {
    const expect = workers.map((worker) => this.#model.applyRemoved(worker, hashesOf(hashes), tier));
    this.#write({ do: "applyRemoved", workers, hashes, tier, expect });
  }

  /** Events of one worker in one payload. */
  batch(worker: number, events: WireEvent[], rank: number): void {
    const changed = events
      .map((event) => this.#applyWire(worker, event))
      .reduce((sum, blocks) => sum + blocks, 0);
    const storedEvents = events.filter(
      ({ type, tokens }) => type === "BlockStored" && tokens !== undefined,
    ).length;
    const payload = encodeBatch(events, rank, this.scenario.options.blockSize);
    this.#write({
      do: "applyBatch",
      worker,
      payload,
      expect: { events: events.length, storedEvents, rank, changed },
    });
  }

  /** A payload that must not be applied. */
  unreadBatch(worker: number, payload: string): void {
    this.#write({ do: "applyBatch", worker, payload, expect: null });
  }

  setPredictions(workers: number[], options: PredictionOptions | undefined): void {
    for (const worker of workers) this.#model.setPredictions(worker, options);
    this.#write({ do: "setPredictions", workers, ...(options && { options }) } as Step);
  }

  passTime(now: number): void {
    this.#model.passTime(now);
    this.#write({ do: "passTime", now });
  }

  decide(prompt: Prompt, options: Choice): Chosen {
    const { terms, ...others } = options;
    if (options.now !== undefined) this.#model.passTime(options.now);
    const tokens = tokensOf(prompt.tokens);
    const { booking, ...chosen } = this.#model.decide(tokens, {
      ...others,
      terms: terms && Float64Array.from(terms),
      tokenCount: tokens.length,
      ...this.#extras(prompt),
    });
    if (booking >= 0) this.#bookings.push(booking);
    const expect = { ...chosen, booked: booking >= 0 };
    this.#write({ do: "decide", ...prompt, options, expect });
    return expect;
  }

  /** Like a gateway: a decision for the worker, then the prediction. */
  predict(worker: number, prompt: Prompt, options: Choice): void {
    this.decide(prompt, { ...options, pinnedWorker: worker });
    const expect = this.#model.predict(worker, tokensOf(prompt.tokens), this.#extras(prompt));
    this.#write({ do: "predict", worker, expect });
  }

  explain(): void {
    this.#write({ do: "explain", expect: this.#model.explain().map(rowOfCandidate) });
  }

  find(prompt: Prompt): void {
    const hashes = this.#localHashes(prompt);
    const found = [...this.#model.find(hashesOf(hashes))].sort(([a], [b]) => a - b);
    const overlaps = found.map(([worker, { overlapBlocks, hostBlocks, diskBlocks, sharedBlocks }]) => {
      return [worker, overlapBlocks, hostBlocks, diskBlocks, sharedBlocks];
    });
    const longest = Math.max(0, ...found.map(([, { overlapBlocks }]) => overlapBlocks));
    this.#write({ do: "find", ...prompt, expect: { hashes, longest, overlaps } });
  }

  firstToken(booking: number): void {
    this.#model.firstToken(this.#bookings[booking]!);
    this.#write({ do: "firstToken", booking });
  }

  grow(booking: number, blocks: number): void {
    this.#model.grow(this.#bookings[booking]!, blocks);
    this.#write({ do: "grow", booking, blocks });
  }

  free(booking: number): void {
    this.#model.free(this.#bookings[booking]!);
    this.#write({ do: "free", booking });
  }

  setWeights(weights: NonNullable<RouterOptions["weights"]>): void {
    this.#model.setWeights(weights);
    this.#write({ do: "setWeights", weights });
  }

  /** Records all observable state. */
  observe(): void {
    const workers = [...this.workers];
    const expect = workers.map((worker) => rowOfLoad(this.#model.load(worker)));
    this.#write({ do: "load", workers, expect });
    const stats = this.#model.stats() as Extract<Step, { do: "stats" }>["expect"];
    this.#write({ do: "stats", expect: stats });
  }

  /** Applies a wire event. @returns blocks stored or removed */
  #applyWire(worker: number, { type, hashes = [], parent, tokens, tier = "device" }: WireEvent): number {
    if (type === "BlockRemoved") return this.#model.applyRemoved(worker, hashesOf(hashes), tier);
    if (type === "BlockStored" && tokens === undefined)
      return this.#model.applyCopied(worker, hashesOf(hashes), tier);
    if (type === "BlockStored")
      return this.#store({
        workers: [worker],
        hashes,
        tokens: tokens ?? [],
        tier,
        ...(parent && { parent }),
      })[0]!;
    this.#model.clearWorker(worker);
    return 0;
  }

  #store(event: Event): number[] {
    const tokens = tokensOf(event.tokens);
    const parent = event.parent === undefined ? undefined : BigInt(event.parent);
    const options = { ...this.#extras(event), ...(event.tier && { tier: event.tier }) };
    return event.workers.map((worker) =>
      this.#model.applyStored(worker, hashesOf(event.hashes), parent, tokens, options),
    );
  }

  #extras({ salt, media }: Extras) {
    const mmHashes = mediaOf(media);
    return { salt: this.scenario.salts[salt ?? 0], mmHashes };
  }

  #localHashes(prompt: Prompt): Hashes {
    const { salt, mmHashes } = this.#extras(prompt);
    const options = { salt, blockSize: this.scenario.options.blockSize, mmHashes };
    return toHex(referenceLocalHashes(tokensOf(prompt.tokens), options));
  }

  #write(step: Step): void {
    this.scenario.steps.push(step);
  }
}
