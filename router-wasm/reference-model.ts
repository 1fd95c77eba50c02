/**
 * A simple model of the whole router, obviously correct rather than fast. Tests compare it with the core: every
 * choice, cost, overlap and load must be identical to the bit.
 */
import { DEFAULT_WEIGHTS, keptPerTick } from "./options.ts";
import { holderOf, type Kind, ReferenceIndex } from "./reference-index.ts";
import { referenceXxh3 } from "./reference-xxh3.ts";
import type {
  AddedLoad,
  BlockExtras,
  BlockHashes,
  CandidateCost,
  CostWeights,
  DecideOptions,
  Decision,
  HashOptions,
  LoadLimits,
  PredictionOptions,
  RouterOptions,
  Salt,
  Tier,
  WorkerLoad,
} from "./types.ts";

const MASK = (1n << 64n) - 1n;

type Overlaps = Pick<CandidateCost, "overlapBlocks" | "hostBlocks" | "diskBlocks" | "sharedBlocks">;

const NO_OVERLAPS = { overlapBlocks: 0, predictedBlocks: 0, hostBlocks: 0, diskBlocks: 0, sharedBlocks: 0 };

interface Load {
  prefillTokens: number;
  decodeBlocks: number;
  requests: number;
  recentPrefill: number;
  eligible: boolean;
  limits: LoadLimits;
}

interface Booking {
  /** The load in which it is counted; no longer the worker's once the worker is removed. */
  load: Load;
  prefillTokens: number;
  decodeBlocks: number;
}

interface Candidate extends CandidateCost {
  predictedBlocks: number;
  load: Load;
  storedBlocks: number;
}

export class ReferenceRouter {
  readonly blockSize: number;
  readonly #maxWorkers: number;
  readonly #maxBookings: number;
  readonly #salt: Salt;
  readonly #index: ReferenceIndex;
  readonly #workers = new Map<number, Load>();
  readonly #bookings = new Map<number, Booking>();
  #weights: CostWeights = DEFAULT_WEIGHTS;
  #tick = 0;
  #nextBooking = 0;
  readonly #turns = { all: 0, decode: 0 };
  #candidates: Candidate[] = [];
  #busyWorkers = 0;
  #decisions = 0;
  #unbookedDecisions = 0;
  #staleBookings = 0;

  constructor(options: RouterOptions) {
    this.blockSize = options.blockSize;
    this.#maxWorkers = options.maxWorkers ?? 1024;
    this.#maxBookings = options.maxBookings ?? 65_536;
    this.#salt = options.salt ?? {};
    this.#index = new ReferenceIndex(options.maxBlocks ?? 4_194_304);
    this.setWeights(options.weights ?? {});
  }

  /** −1 at the limit. */
  addWorker(): number {
    if (this.#workers.size === this.#maxWorkers) return -1;
    let worker = 0;
    while (this.#workers.has(worker)) worker++;
    this.#workers.set(worker, {
      prefillTokens: 0,
      decodeBlocks: 0,
      requests: 0,
      recentPrefill: 0,
      eligible: true,
      limits: {},
    });
    return worker;
  }

  removeWorker(worker: number): void {
    this.clearWorker(worker);
    this.#index.setPredictions(holderOf("predicted", worker), 0, 0, this.#tick);
    this.#workers.delete(worker);
  }

  clearWorker(worker: number): void {
    this.#index.forgetPredictions(holderOf("predicted", worker));
    for (const tier of ["device", "host", "disk"] as const) this.#index.cleared(holderOf(tier, worker));
  }

  clearShared(): void {
    this.#index.cleared(holderOf("shared", 0));
  }

  setEligible(worker: number, eligible: boolean): void {
    this.#workers.get(worker)!.eligible = eligible;
  }

  setLimits(worker: number, limits: LoadLimits): void {
    this.#workers.get(worker)!.limits = limits;
  }

  applyStored(
    worker: number,
    blockHashes: BigUint64Array,
    parentHash: bigint | undefined,
    tokenIds: Uint32Array,
    options: BlockExtras & { tier?: Tier } = {},
  ): number {
    const holder = holderOf(options.tier ?? "device", worker);
    const locals = this.#localHashes(tokenIds, options);
    return this.#index.stored(holder, sourcesOf(worker), [...blockHashes], parentHash, locals);
  }

  applyCopied(worker: number, blockHashes: BigUint64Array, tier: Tier): number {
    return this.#index.copied(holderOf(tier, worker), sourcesOf(worker), [...blockHashes]);
  }

  applyRemoved(worker: number, blockHashes: BigUint64Array, tier: Tier = "device"): number {
    return this.#index.removed(holderOf(tier, worker), [...blockHashes]);
  }

  setPredictions(worker: number, options: PredictionOptions | undefined): void {
    const lifetime = options ? Math.max(1, Math.floor(options.ttlSeconds * 10)) : 0;
    const capacity = options?.capacityBlocks ?? Number.POSITIVE_INFINITY;
    this.#index.setPredictions(holderOf("predicted", worker), lifetime, capacity, this.#tick);
  }

  predict(worker: number, prompt: Uint32Array, extras: BlockExtras): number {
    const locals = this.#localHashes(prompt, extras);
    return this.#index.predict(holderOf("predicted", worker), locals, this.#tick);
  }

  passTime(now: number): void {
    const tick = Math.max(this.#tick, Math.floor(now * 10));
    const share = power(keptPerTick(this.#weights.recentPrefillSeconds), tick - this.#tick);
    this.#tick = tick;
    for (const load of this.#workers.values()) {
      const left = load.recentPrefill * share;
      load.recentPrefill = left < 0.5 ? 0 : left;
    }
    this.#index.passTime(this.#tick);
  }

  decide(prompt: Uint32Array, options: DecideOptions): Decision {
    this.#decisions++;
    this.#candidates = this.#price(prompt, options);
    const temperature = options.temperature ?? this.#weights.temperature;
    const chosen = this.#choose(this.#candidates, temperature, options);
    const busyWorkers = this.#busyWorkers;
    if (!chosen) return { worker: -1, ...NO_OVERLAPS, cost: 0, booking: -1, busyWorkers };
    if (options.book !== false)
      chosen.load.recentPrefill += newTokens(chosen, prompt.length, this.blockSize, options);
    const booking = options.book === false ? -1 : this.#book(chosen, prompt.length, options);
    const { worker, overlapBlocks, hostBlocks, diskBlocks, sharedBlocks, total } = chosen;
    const overlaps = { overlapBlocks, hostBlocks, diskBlocks, sharedBlocks };
    const { predictedBlocks } = chosen;
    return { worker, ...overlaps, predictedBlocks, cost: total, booking, busyWorkers };
  }

  /** The workers' overlaps with a prompt given by its block hashes. */
  find(blockHashes: BigUint64Array): Map<number, Overlaps> {
    this.#candidates = [];
    const locals = [...blockHashes];
    return new Map([...this.#workers.keys()].map((worker) => [worker, this.#tierOverlaps(worker, locals)]));
  }

  explain(): CandidateCost[] {
    return this.#candidates.map(
      ({ load: _load, storedBlocks: _stored, predictedBlocks: _predicted, ...terms }) => terms,
    );
  }

  firstToken(handle: number): void {
    const booking = this.#booking(handle);
    if (!booking) return;
    booking.load.prefillTokens -= booking.prefillTokens;
    booking.prefillTokens = 0;
  }

  grow(handle: number, blocks: number): void {
    const booking = this.#booking(handle);
    if (!booking) return;
    booking.load.decodeBlocks += blocks;
    booking.decodeBlocks += blocks;
  }

  free(handle: number): void {
    const booking = this.#booking(handle);
    if (!booking) return;
    this.#bookings.delete(handle);
    booking.load.prefillTokens -= booking.prefillTokens;
    booking.load.decodeBlocks -= booking.decodeBlocks;
    booking.load.requests--;
  }

  addLoad(
    worker: number,
    { prefillTokens, decodeBlocks, requests, recentPrefillTokens = 0 }: AddedLoad,
  ): void {
    const load = this.#workers.get(worker)!;
    load.prefillTokens += prefillTokens;
    load.decodeBlocks += decodeBlocks;
    load.requests += requests;
    load.recentPrefill += Math.max(0, recentPrefillTokens);
  }

  load(worker: number): WorkerLoad {
    const load = this.#workers.get(worker)!;
    return {
      activePrefillTokens: load.prefillTokens,
      activeDecodeBlocks: load.decodeBlocks,
      activeRequests: load.requests,
      storedBlocks: this.#stored("device", worker),
      predictedBlocks: this.#stored("predicted", worker),
      hostBlocks: this.#stored("host", worker),
      diskBlocks: this.#stored("disk", worker),
    };
  }

  /** The router's `stats()`, except its memory size. */
  stats(): Record<string, number> {
    const index = this.#index;
    return {
      workers: this.#workers.size,
      blocks: index.blocks,
      storedBlocks: this.#storedByAll("device"),
      predictedBlocks: this.#storedByAll("predicted"),
      hostBlocks: this.#storedByAll("host"),
      diskBlocks: this.#storedByAll("disk"),
      sharedBlocks: this.#stored("shared", 0),
      runs: index.runs,
      bookings: this.#bookings.size,
      decisions: this.#decisions,
      unbookedDecisions: this.#unbookedDecisions,
      staleBookings: this.#staleBookings,
      ignoredEvents: index.ignoredEvents,
      unknownRemovals: index.unknownRemovals,
      forgottenBlocks: index.forgottenBlocks,
      refusedBlocks: index.refusedBlocks,
    };
  }

  setWeights(weights: Partial<CostWeights>): void {
    this.#weights = { ...this.#weights, ...weights };
  }

  #stored(kind: Kind, worker: number): number {
    return this.#index.storedBlocks(holderOf(kind, worker));
  }

  #storedByAll(kind: Kind): number {
    return [...this.#workers.keys()].reduce((sum, worker) => sum + this.#stored(kind, worker), 0);
  }

  /** The longer of the worker's held and predicted prefixes. */
  #overlap(worker: number, locals: bigint[]): number {
    const predicted = this.#index.overlap(holderOf("predicted", worker), locals);
    return Math.max(this.#index.overlap(worker, locals), predicted);
  }

  /** The blocks that follow in the other tiers. */
  #tierOverlaps(worker: number, locals: bigint[]): Overlaps {
    const overlapBlocks = this.#overlap(worker, locals);
    const hostBlocks = this.#index.extension(holderOf("host", worker), locals, overlapBlocks);
    const diskBlocks = this.#index.extension(holderOf("disk", worker), locals, overlapBlocks + hostBlocks);
    const sharedBlocks = this.#index.extension(holderOf("shared", 0), locals, overlapBlocks);
    return { overlapBlocks, hostBlocks, diskBlocks, sharedBlocks };
  }

  #localHashes(tokens: Uint32Array, { salt, mmHashes }: BlockExtras): bigint[] {
    const { blockSize } = this;
    if (salt !== undefined) return [...referenceLocalHashes(tokens, { blockSize, salt, mmHashes })];
    return [...referenceHashBlocks(tokens, { ...this.#salt, blockSize, mmHashes }).blockHashes];
  }

  #price(prompt: Uint32Array, options: DecideOptions): Candidate[] {
    const { pinnedWorker, excluded } = options;
    const weights = this.#weights;
    const credit = options.overlapCredit ?? weights.overlapCredit;
    const locals = this.#localHashes(prompt, options);
    const asked = [...this.#workers]
      .filter(([worker, load]) => load.eligible && !excluded?.includes(worker))
      .filter(([worker]) => pinnedWorker === undefined || worker === pinnedWorker)
      .sort(([a], [b]) => a - b);
    const open = asked.filter(([, load]) => !isBusy(load));
    this.#busyWorkers = asked.length - open.length;
    const leastPrefill = Math.min(...open.map(([, load]) => load.prefillTokens));
    const priced = open.map(([worker, load]) => {
      const overlaps = this.#tierOverlaps(worker, locals);
      const excess = prompt.length > 0 ? (load.prefillTokens - leastPrefill) / prompt.length : 0;
      const worth = credit / (1 + weights.creditDecay * excess);
      const { hostCredit, diskCredit, sharedMultiplier } = weights;
      const { overlapBlocks, hostBlocks, diskBlocks, sharedBlocks } = overlaps;
      const tiers = hostCredit * hostBlocks + diskCredit * diskBlocks + sharedMultiplier * sharedBlocks;
      const saved = worth * overlapBlocks + tiers;
      const newBlocks = (load.prefillTokens + prompt.length) / this.blockSize - saved;
      const prefill = options.decodeOnly ? 0 : weights.prefillLoadScale * newBlocks;
      const decode = options.decodeOnly ? Math.max(0, load.decodeBlocks - saved) : load.decodeBlocks;
      const recent = (weights.recentPrefillWeight / this.blockSize) * load.recentPrefill;
      const own = options.terms?.[worker] ?? 0;
      const total = prefill + decode + weights.activeRequestWeight * load.requests + recent + own;
      const storedBlocks = this.#stored("device", worker);
      const predictedBlocks = overlapBlocks - this.#index.overlap(worker, locals);
      return { worker, ...overlaps, predictedBlocks, prefill, decode, total, load, storedBlocks };
    });
    return priced.filter(({ total }) => total < Number.POSITIVE_INFINITY);
  }

  #choose(
    candidates: Candidate[],
    temperature: number,
    { policy, random, decodeOnly, pinnedWorker }: DecideOptions,
  ): Candidate | undefined {
    if (candidates.length === 0) return undefined;
    const drawn = candidates[Math.floor(random * candidates.length)]!;
    switch (policy) {
      case "round-robin": {
        if (pinnedWorker !== undefined) return candidates[0];
        const pool = decodeOnly ? "decode" : "all";
        const next = candidates.find(({ worker }) => worker >= this.#turns[pool]) ?? candidates[0]!;
        this.#turns[pool] = next.worker + 1;
        return next;
      }
      case "random":
        return drawn;
      case "least-loaded":
        return this.#least(candidates, (candidate) => this.#loadOf(candidate), random);
      case "power-of-two":
        return this.#lessLoadedOfTwo(candidates, drawn, random);
      default:
        if (temperature > 0) return sample(candidates, temperature, random);
        return this.#least(candidates, ({ total }) => total, random);
    }
  }

  #loadOf({ load }: Candidate): number {
    return load.decodeBlocks + load.prefillTokens / this.blockSize;
  }

  /** The lowest by `measure`, then by requests, then by stored blocks, then by the random number. */
  #least(candidates: Candidate[], measure: (candidate: Candidate) => number, random: number): Candidate {
    let equal = least(candidates, measure);
    equal = least(equal, ({ load }) => load.requests);
    equal = least(equal, ({ storedBlocks }) => storedBlocks);
    return equal[Math.floor(random * equal.length)]!;
  }

  #lessLoadedOfTwo(candidates: Candidate[], first: Candidate, random: number): Candidate {
    const others = candidates.filter((candidate) => candidate !== first);
    if (others.length === 0) return first;
    const scaled = random * candidates.length;
    const second = others[Math.floor((scaled - Math.floor(scaled)) * others.length)]!;
    return least(
      least([first, second], (candidate) => this.#loadOf(candidate)),
      ({ load }) => load.requests,
    )[0]!;
  }

  #book(chosen: Candidate, promptTokens: number, options: DecideOptions): number {
    if (this.#bookings.size === this.#maxBookings) {
      this.#unbookedDecisions++;
      return -1;
    }
    const booking: Booking = {
      load: chosen.load,
      prefillTokens: newTokens(chosen, promptTokens, this.blockSize, options),
      decodeBlocks: Math.ceil((promptTokens + (options.expectedOutputTokens ?? 0)) / this.blockSize),
    };
    booking.load.prefillTokens += booking.prefillTokens;
    booking.load.decodeBlocks += booking.decodeBlocks;
    booking.load.requests++;
    this.#bookings.set(this.#nextBooking, booking);
    return this.#nextBooking++;
  }

  #booking(handle: number): Booking | undefined {
    const booking = this.#bookings.get(handle);
    if (!booking) this.#staleBookings++;
    return booking;
  }
}

/** Tokens of the prompt that the worker has to prefill. */
function newTokens(
  chosen: Candidate,
  promptTokens: number,
  blockSize: number,
  { decodeOnly }: DecideOptions,
): number {
  return decodeOnly ? 0 : promptTokens - cachedBlocks(chosen) * blockSize;
}

/** By squaring, as the core does. */
function power(base: number, exponent: number): number {
  let result = 1;
  for (let left = exponent; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) result *= base;
    base *= base;
  }
  return result;
}

function cachedBlocks({ overlapBlocks, hostBlocks, diskBlocks, sharedBlocks }: Candidate): number {
  return overlapBlocks + Math.max(hostBlocks + diskBlocks, sharedBlocks);
}

/** The holders whose hashes a worker's events may refer to. */
function sourcesOf(worker: number): number[] {
  return (["device", "host", "disk", "shared"] as const).map((kind) => holderOf(kind, worker));
}

function isBusy({ prefillTokens, decodeBlocks, limits }: Load): boolean {
  const { activePrefillTokens, activeDecodeBlocks } = limits;
  return (
    (activePrefillTokens !== undefined && prefillTokens >= activePrefillTokens) ||
    (activeDecodeBlocks !== undefined && decodeBlocks >= activeDecodeBlocks)
  );
}

/** The block and sequence hashes that `Router.hashBlocks` must return. */
export function referenceHashBlocks(tokens: Uint32Array, options: HashOptions): BlockHashes {
  const seed = referenceSeed(options);
  const blockHashes: bigint[] = [];
  const sequenceHashes: bigint[] = [];
  for (let end = options.blockSize; end <= tokens.length; end += options.blockSize) {
    const ids = bytesOf(tokens.subarray(end - options.blockSize, end));
    const media = options.mmHashes?.[blockHashes.length] ?? new BigUint64Array();
    const hash = referenceXxh3(Uint8Array.from([...ids, ...bytesOf(media.slice().sort())]), seed);
    const before = sequenceHashes.at(-1);
    blockHashes.push(hash);
    sequenceHashes.push(
      before === undefined ? hash : referenceXxh3(bytesOf(BigUint64Array.of(before, hash)), 1337n),
    );
  }
  return {
    blockHashes: BigUint64Array.from(blockHashes),
    sequenceHashes: BigUint64Array.from(sequenceHashes),
  };
}

/** The hashes by which the router knows the blocks of a prompt or of an event: only one has the namespace. */
export function referenceLocalHashes(
  tokens: Uint32Array,
  { blockSize, salt = {}, mmHashes }: BlockExtras & { blockSize: number },
): BigUint64Array {
  const { loraName, namespace, sharedBlocks = 0 } = salt;
  const hashesWith = (salt: Salt) =>
    referenceHashBlocks(tokens, { ...salt, blockSize, mmHashes }).blockHashes;
  const hashes = hashesWith({ loraName });
  if (namespace && sharedBlocks >= 0 && sharedBlocks < hashes.length)
    hashes[sharedBlocks] = hashesWith({ loraName, namespace })[sharedBlocks]!;
  return hashes;
}

function referenceSeed({ loraName, namespace }: Salt): bigint {
  const utf8 = new TextEncoder();
  let seed = 1337n;
  if (loraName) seed += referenceXxh3(utf8.encode(loraName), 0n);
  if (namespace) seed += referenceXxh3(utf8.encode(namespace), 1n);
  return seed & MASK;
}

function bytesOf(array: Uint32Array | BigUint64Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

function least<T>(items: T[], measure: (item: T) => number): T[] {
  const low = Math.min(...items.map(measure));
  return items.filter((item) => measure(item) === low);
}

function sample(candidates: Candidate[], temperature: number, random: number): Candidate {
  const totals = candidates.map(({ total }) => total);
  const low = Math.min(...totals);
  const range = (Math.max(...totals) - low) * temperature;
  const weights = totals.map((total) => (range > 0 ? Math.exp((low - total) / range) : 1));
  let left = random * weights.reduce((sum, weight) => sum + weight, 0);
  for (const [i, weight] of weights.entries()) {
    left -= weight;
    if (left < 0) return candidates[i]!;
  }
  return candidates.at(-1)!;
}
