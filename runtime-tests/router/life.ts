import type { Policy, PredictionOptions, RouterOptions, Tier } from "../../router-wasm/index.ts";
import { Draws } from "./draws.ts";
import { Recorder } from "./record.ts";
import { fewNamesOf, mediaFor, namesOf, pathOf, runsOf, type Text } from "./text.ts";
import type { Choice, Extras, Hashes, Scenario, TokenRuns } from "./trace.ts";

const POLICIES: Policy[] = ["kv", "kv", "kv", "round-robin", "random", "least-loaded", "power-of-two"];
const TIERS: Tier[] = ["device", "device", "device", "host", "disk", "shared"];
/** With and without a tenant, which is told only with the first block of a sequence. */
const SALTS = [{}, { loraName: "adapter" }, { loraName: "adapter", namespace: "tenant" }];
const [ADAPTER, TENANT] = [1, 2];

/** A random scenario: `steps` operations of all kinds on this many workers, with few texts and hashes. */
export function lifeOf(
  name: string,
  options: RouterOptions,
  workers: number,
  steps: number,
  seed: number,
): Scenario {
  const recorder = new Recorder(name, options, SALTS);
  const life = new Life(recorder, new Draws(seed));
  recorder.addWorkers(workers);
  for (let i = 0; i < steps; i++) {
    life.step();
    if (i % 10 === 9 || i === steps - 1) recorder.observe();
  }
  return recorder.scenario;
}

class Life {
  readonly #recorder: Recorder;
  readonly #draws: Draws;
  readonly #blockSize: number;
  /** All kinds of steps, repeated by their relative frequency. */
  readonly #kinds = [
    this.#times(10, () => this.#store()),
    this.#times(5, () => this.#remove()),
    this.#times(2, () => this.#recorder.copied(this.#some(), this.#names(this.#text().text), this.#tier())),
    this.#times(9, () => this.#decide()),
    this.#times(4, () => this.#predict()),
    this.#times(3, () => this.#recorder.find(this.#prompt())),
    this.#times(5, () => this.#advanceBooking()),
    this.#times(8, () => this.#change()),
  ].flat();
  #now = 0;

  constructor(recorder: Recorder, draws: Draws) {
    this.#recorder = recorder;
    this.#draws = draws;
    this.#blockSize = recorder.scenario.options.blockSize;
  }

  step(): void {
    this.#draws.of(this.#kinds)();
  }

  #times(count: number, act: () => void): (() => void)[] {
    return Array<() => void>(count).fill(act);
  }

  #remove(): void {
    const { text } = this.#text();
    const from = this.#draws.below(text.length);
    const count = 1 + this.#draws.below(this.#draws.once(2) ? 3 : 60);
    this.#recorder.removed(this.#some(), this.#names(text).slice(from, from + count), this.#tier());
  }

  #decide(): void {
    this.#recorder.decide(this.#prompt(), this.#choice());
    if (this.#recorder.workers.length <= 40 || this.#draws.once(4)) this.#recorder.explain();
  }

  #predict(): void {
    const worker = this.#draws.of(this.#recorder.workers);
    this.#recorder.predict(worker, this.#prompt(), { policy: "kv", random: this.#random() });
  }

  #store(): void {
    const draws = this.#draws;
    const { text, ...extras } = this.#text();
    const from = draws.once(2) ? 0 : draws.below(text.length);
    const names = this.#names(text);
    const parent = draws.once(6) ? "0xf423f" : names[from - 1];
    if (from > 0 && extras.salt === TENANT) extras.salt = ADAPTER;
    const event = {
      workers: this.#some(),
      hashes: names.slice(from),
      tokens: runsOf(text.slice(from), this.#blockSize),
      tier: this.#tier(),
      ...(parent === undefined ? {} : { parent }),
    };
    if (draws.once(4)) this.#recorder.hashed({ ...event, salt: extras.salt });
    else
      this.#recorder.stored({
        ...event,
        ...extras,
        ...(extras.media && { media: extras.media.slice(from) }),
      });
  }

  #advanceBooking(): void {
    const recorder = this.#recorder;
    if (recorder.bookings === 0) return;
    const booking = this.#draws.below(recorder.bookings);
    this.#draws.of([
      () => recorder.firstToken(booking),
      () => recorder.grow(booking, this.#draws.below(9)),
      () => recorder.free(booking),
    ])();
  }

  #change(): void {
    const recorder = this.#recorder;
    const draws = this.#draws;
    const worker = draws.of(recorder.workers);
    draws.of([
      () => {
        recorder.removeWorker(worker);
        recorder.addWorkers(1);
      },
      () => recorder.clearWorkers([worker]),
      () => recorder.clearShared(),
      () => recorder.setEligible(this.#some(), draws.once(2)),
      () =>
        recorder.setLimits(this.#some(), {
          ...(draws.once(2) && { activePrefillTokens: draws.below(2000) }),
          ...(draws.once(2) && { activeDecodeBlocks: draws.below(200) }),
        }),
      () => recorder.setPredictions(this.#some(), draws.once(4) ? undefined : this.#predictions()),
      () => {
        this.#now += draws.of([0, 0.05, 0.4, 1, 60]);
        recorder.passTime(this.#now);
      },
      () =>
        recorder.setWeights({
          overlapCredit: draws.fraction() * 2,
          creditDecay: draws.of([0, 0.5, 3]),
          activeRequestWeight: draws.fraction(),
          hostCredit: draws.fraction(),
          temperature: draws.of([0, 0, 0.7]),
        }),
    ])();
  }

  #predictions(): PredictionOptions {
    const ttlSeconds = this.#draws.of([0, 0.5, 3, 120]);
    return { ttlSeconds, ...(this.#draws.once(2) && { capacityBlocks: this.#draws.below(100) }) };
  }

  #choice(): Choice {
    const draws = this.#draws;
    return {
      policy: draws.of(POLICIES),
      random: this.#random(),
      ...(draws.once(5) && { pinnedWorker: draws.below(12) }),
      ...(draws.once(4) && { excluded: [draws.below(12), draws.below(12)] }),
      ...(draws.once(4) && { overlapCredit: draws.fraction() * 4 }),
      ...(draws.once(4) && { temperature: draws.fraction() }),
      ...(draws.once(3) && { expectedOutputTokens: draws.below(100) }),
      ...(draws.once(4) && { book: draws.once(2) }),
      ...(draws.once(5) && { decodeOnly: true }),
    };
  }

  #prompt(): { tokens: TokenRuns } & Extras {
    const { text, ...extras } = this.#text();
    const rest: TokenRuns = this.#draws.once(2) ? [[5, this.#draws.below(this.#blockSize)]] : [];
    return { tokens: [...runsOf(text, this.#blockSize), ...rest], ...extras };
  }

  #text(): { text: Text; salt: number; media?: NonNullable<Extras["media"]> } {
    const draws = this.#draws;
    const parts = Array.from({ length: 1 + draws.below(4) }, (): [number, number] => {
      return [100 * draws.below(3), 1 + draws.below(draws.once(2) ? 4 : 40)];
    });
    const text = pathOf(...parts);
    const salt = draws.of([0, 0, 0, 1, 2]);
    return draws.once(3)
      ? { text, salt, media: mediaFor(text.length, draws.of([1, 3, 30])) }
      : { text, salt };
  }

  #names(text: Text): Hashes {
    return this.#draws.once(5) ? fewNamesOf(text) : namesOf(text, this.#draws.of([0, 0, 0, 1, 2]));
  }

  /** Usually one worker, or all, or every third. */
  #some(): number[] {
    const { workers } = this.#recorder;
    const draws = this.#draws;
    if (draws.once(6)) return [...workers];
    if (draws.once(6)) return workers.filter((worker) => worker % 3 === 0);
    return [draws.of(workers)];
  }

  #tier(): Tier {
    return this.#draws.of(TIERS);
  }

  #random(): number {
    return this.#draws.once(4) ? this.#draws.of([0, 0.5, 1 - 2 ** -53]) : this.#draws.fraction();
  }
}
