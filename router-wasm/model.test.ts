import fc from "fast-check";
import { expect, it } from "vitest";
import type {
  AddedLoad,
  CostTerms,
  DecideOptions,
  LoadLimits,
  Policy,
  PredictionOptions,
  Router,
  RouterOptions,
  Salt,
  Tier,
} from "./index.ts";
import { ReferenceRouter, referenceLocalHashes } from "./reference-model.ts";
import { hashesFrom, newRouter } from "./test-router.ts";

// Applies random operations to the core and the reference model, which must agree after each one. Sequences are paths
// of symbols: a symbol's block always has the same tokens, so that prefixes are often shared.

/** How a worker's engine hashes its blocks. */
type Naming =
  /** By content, like all other workers. */
  | "shared"
  /** By content and its own seed. */
  | "own"
  /** As one of a few numbers regardless of content, so that hashes collide and are reused. */
  | "tiny"
  /** Shared by two workers each, so that blocks have several names. */
  | "pairs";

interface Path {
  segments: { symbol: number; length: number }[];
  /** Index into SALTS. */
  salt: number;
  /** Every how many blocks there are media; 0 for none. */
  mediaEvery: number;
}

const SALTS: Salt[] = [
  {},
  { loraName: "adapter" },
  { loraName: "adapter", namespace: "tenant" },
  { namespace: "tenant", sharedBlocks: 2 },
];

/** The salt of an event whose first block is block `from` of a sequence. */
function saltFrom({ namespace, sharedBlocks = 0, loraName }: Salt, from: number): Salt {
  return from > sharedBlocks ? { loraName } : { loraName, namespace, sharedBlocks: sharedBlocks - from };
}

type Operation =
  | { type: "addWorker" }
  | { type: "removeWorker" | "clearWorker"; worker: number }
  | { type: "setEligible"; worker: number; eligible: boolean }
  | { type: "setLimits"; worker: number; limits: LoadLimits; who: Who }
  | {
      type: "stored";
      worker: number;
      path: Path;
      from: number;
      naming: Naming;
      orphan: boolean;
      tier: Tier;
      who: Who;
    }
  | {
      type: "hashed" | "copied";
      worker: number;
      path: Path;
      from: number;
      naming: Naming;
      tier: Tier;
      who: Who;
    }
  | {
      type: "removed";
      worker: number;
      path: Path;
      from: number;
      count: number;
      naming: Naming;
      tier: Tier;
      who: Who;
    }
  | { type: "setPredictions"; worker: number; options: PredictionOptions | undefined; who: Who }
  | { type: "predict"; worker: number; path: Path; extra: number; random: number }
  | { type: "passTime"; seconds: number }
  | { type: "clearShared" }
  | { type: "decide"; path: Path; extra: number; options: Omit<DecideOptions, "tokenCount"> }
  | { type: "find"; path: Path; extra: number; known: boolean }
  | { type: "firstToken" | "free"; booking: number }
  | { type: "grow"; booking: number; blocks: number }
  | { type: "addLoad"; worker: number; load: AddedLoad }
  | { type: "setWeights"; weights: RouterOptions["weights"] };

const worker = fc.nat(30);
const path: fc.Arbitrary<Path> = fc.record({
  segments: fc.array(
    fc.record({
      symbol: fc.nat(2),
      length: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 40 })),
    }),
    { minLength: 1, maxLength: 4 },
  ),
  salt: fc.constantFrom(0, 0, 0, 1, 2, 3),
  mediaEvery: fc.constantFrom(0, 0, 0, 1, 3, 30),
});
const tier = fc.constantFrom<Tier>("device", "device", "device", "host", "disk", "shared");
const naming = fc.constantFrom<Naming>("shared", "shared", "own", "tiny", "pairs");
/** The worker, all of them, or all others. */
type Who = "one" | "all" | "others";
const who = fc.constantFrom<Who>("one", "one", "one", "one", "all", "others");
const rarely = fc.nat(5).map((n) => n === 0);
const random = fc.oneof(
  fc.constantFrom(0, 0.5, 1 - 2 ** -53),
  fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
);
const weightValue = fc.oneof(fc.constantFrom(0, 0.5, 1, 2), fc.double({ min: 0, max: 8, noNaN: true }));
const ownTerms = fc
  .array(fc.oneof(fc.constantFrom(0, -3, Number.POSITIVE_INFINITY), weightValue), { maxLength: 12 })
  .map((terms) => Float64Array.from(terms));
const loadLimit = fc.oneof(fc.nat(3), fc.nat(200));
const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined, freq: 2 });

const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ type: fc.constant("addWorker") }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constantFrom("removeWorker", "clearWorker"), worker }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("setEligible"), worker, eligible: fc.boolean() }) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant("setLimits"),
      worker,
      limits: fc.record({
        activePrefillTokens: optional(loadLimit),
        activeDecodeBlocks: optional(loadLimit),
      }),
      who,
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({
      type: fc.constant("stored"),
      worker,
      path,
      from: fc.oneof(fc.constant(0), fc.nat(60)),
      naming,
      orphan: rarely,
      tier,
      who,
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant("removed"),
      worker,
      path,
      from: fc.nat(60),
      count: fc.oneof(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 60 })),
      naming,
      tier,
      who,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constantFrom("hashed", "copied"),
      worker,
      path,
      from: fc.nat(60),
      naming,
      tier,
      who,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant("setPredictions"),
      worker,
      options: optional(
        fc.record({
          ttlSeconds: fc.constantFrom(0, 0.5, 3, 120),
          capacityBlocks: optional(fc.nat(100)),
        }),
      ),
      who,
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ type: fc.constant("predict"), worker, path, extra: fc.nat(3), random }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constant("passTime"), seconds: fc.constantFrom(0, 0.05, 0.4, 1, 60) }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("clearShared") }) },
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constant("decide"),
      path,
      extra: fc.nat(3),
      options: fc.record({
        policy: fc.constantFrom<Policy>(
          "kv",
          "kv",
          "kv",
          "round-robin",
          "random",
          "least-loaded",
          "power-of-two",
        ),
        random,
        pinnedWorker: optional(worker),
        excluded: optional(fc.array(worker, { maxLength: 5 })),
        overlapCredit: optional(weightValue),
        temperature: optional(weightValue),
        expectedOutputTokens: optional(fc.nat(100)),
        book: optional(fc.boolean()),
        decodeOnly: optional(fc.boolean()),
        terms: optional(ownTerms),
      }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ type: fc.constant("find"), path, extra: fc.nat(3), known: fc.boolean() }),
  },
  { weight: 4, arbitrary: fc.record({ type: fc.constantFrom("firstToken", "free"), booking: fc.nat(40) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("grow"), booking: fc.nat(40), blocks: fc.nat(9) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant("addLoad"),
      worker,
      load: fc.record({
        prefillTokens: fc.integer({ min: -500, max: 2000 }),
        decodeBlocks: fc.integer({ min: -20, max: 100 }),
        requests: fc.integer({ min: -3, max: 9 }),
        recentPrefillTokens: fc.nat(5_000),
      }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant("setWeights"),
      weights: fc.record(
        {
          overlapCredit: weightValue,
          creditDecay: weightValue,
          prefillLoadScale: weightValue,
          activeRequestWeight: weightValue,
          recentPrefillWeight: weightValue,
          recentPrefillSeconds: weightValue,
          hostCredit: weightValue,
          diskCredit: weightValue,
          sharedMultiplier: weightValue,
          temperature: fc.oneof(fc.constant(0), weightValue),
        },
        { requiredKeys: [] },
      ),
    }),
  },
) as fc.Arbitrary<Operation>;

const limits: fc.Arbitrary<RouterOptions> = fc.record({
  blockSize: fc.constantFrom(1, 2, 3, 5, 16, 17, 64, 512),
  maxWorkers: fc.constantFrom(1, 2, 3, 9, 12, 24, 200),
  maxBlocks: fc.constantFrom(1, 7, 33, 100, 300, 100_000),
  expectedBlocks: fc.constantFrom(0, 0, 500, 20_000),
  maxBookings: fc.constantFrom(1, 3, 50),
});

/** Both routers, and their open bookings. */
class Pair {
  readonly router: Router;
  readonly model: ReferenceRouter;
  readonly #workers: number[] = [];
  #now = 0;
  /** Handles of the router and of the model. */
  readonly #bookings: [number, number][] = [[-1, -1]];

  constructor(options: RouterOptions) {
    this.router = newRouter(options);
    this.model = new ReferenceRouter(options);
  }

  apply(operation: Operation): void {
    const { router, model } = this;
    switch (operation.type) {
      case "addWorker": {
        const added = model.addWorker();
        if (added >= 0) this.#workers.push(added);
        if (added >= 0) expect(router.addWorker()).toBe(added);
        else expect(() => router.addWorker()).toThrow(/maxWorkers/);
        break;
      }
      case "removeWorker":
        this.#each(operation.worker, "one", (worker) => {
          router.removeWorker(worker);
          model.removeWorker(worker);
          this.#workers.splice(this.#workers.indexOf(worker), 1);
        });
        break;
      case "clearWorker":
        this.#each(operation.worker, "one", (worker) => {
          router.clearWorker(worker);
          model.clearWorker(worker);
        });
        break;
      case "setEligible":
        this.#each(operation.worker, "one", (worker) => {
          router.setEligible(worker, operation.eligible);
          model.setEligible(worker, operation.eligible);
        });
        break;
      case "addLoad":
        this.#each(operation.worker, "one", (worker) => {
          router.addLoad(worker, operation.load);
          model.addLoad(worker, operation.load);
        });
        break;
      case "setLimits":
        this.#each(operation.worker, operation.who, (worker) => {
          router.setLimits(worker, operation.limits);
          model.setLimits(worker, operation.limits);
        });
        break;
      case "stored": {
        const symbols = symbolsOf(operation.path);
        const from = operation.from % symbols.length;
        const tokens = tokensFor(symbols.slice(from), router.blockSize, 0);
        const salt = saltFrom(SALTS[operation.path.salt]!, from);
        const mmHashes = mediaOf(operation.path, symbols.length).slice(from);
        this.#each(operation.worker, operation.who, (worker) => {
          const names = namesOf(symbols, operation.naming, worker);
          const hashes = names.slice(from);
          const parent = operation.orphan ? 999_999n : from > 0 ? names[from - 1] : undefined;
          const { tier } = operation;
          const expected = model.applyStored(worker, hashes, parent, tokens, {
            salt,
            mmHashes,
            tier,
          });
          const extras = { salt, mmHashes, tier };
          expect(router.applyStored(worker, hashes, parent, tokens, extras)).toBe(expected);
        });
        break;
      }
      case "removed": {
        const symbols = symbolsOf(operation.path);
        const from = operation.from % symbols.length;
        this.#each(operation.worker, operation.who, (worker) => {
          const hashes = namesOf(symbols, operation.naming, worker).slice(from, from + operation.count);
          const expected = model.applyRemoved(worker, hashes, operation.tier);
          expect(router.applyRemoved(worker, hashes, operation.tier)).toBe(expected);
        });
        break;
      }
      case "hashed":
      case "copied":
        this.#storeWithoutIds(operation);
        break;
      case "setPredictions":
        this.#each(operation.worker, operation.who, (worker) => {
          router.setPredictions(worker, operation.options);
          model.setPredictions(worker, operation.options);
        });
        break;
      case "predict":
        this.#predict(operation);
        break;
      case "passTime":
        this.#now += operation.seconds;
        router.passTime(this.#now);
        model.passTime(this.#now);
        break;
      case "clearShared":
        router.clearShared();
        model.clearShared();
        break;
      case "decide":
        this.#decide(operation);
        break;
      case "find":
        this.#find(operation);
        break;
      case "firstToken":
      case "free": {
        const [handle, modelHandle] = this.#bookings[operation.booking % this.#bookings.length]!;
        router[operation.type](handle);
        model[operation.type](modelHandle);
        break;
      }
      case "grow": {
        const [handle, modelHandle] = this.#bookings[operation.booking % this.#bookings.length]!;
        router.grow(handle, operation.blocks);
        model.grow(modelHandle, operation.blocks);
        break;
      }
      case "setWeights":
        router.setWeights(operation.weights ?? {});
        model.setWeights(operation.weights ?? {});
    }
  }

  #storeWithoutIds({
    type,
    worker,
    who,
    path,
    from,
    naming,
    tier,
  }: Extract<Operation, { type: "hashed" | "copied" }>) {
    const { router, model } = this;
    const symbols = symbolsOf(path);
    const first = from % symbols.length;
    const tokens = tokensFor(symbols.slice(first), router.blockSize, 0);
    const salt = saltFrom(SALTS[path.salt]!, first);
    const blockHashes = referenceLocalHashes(tokens, { salt, blockSize: router.blockSize });
    this.#each(worker, who, (each) => {
      const names = namesOf(symbols, naming, each);
      const hashes = names.slice(first);
      const parent = first > 0 ? names[first - 1] : undefined;
      if (type === "copied") {
        expect(router.applyCopied(each, hashes, tier)).toBe(model.applyCopied(each, hashes, tier));
      } else {
        const expected = model.applyStored(each, hashes, parent, tokens, { salt, tier });
        expect(router.applyHashed(each, hashes, parent, blockHashes, tier)).toBe(expected);
      }
    });
  }

  /** Like a gateway: decides, then predicts for the chosen worker. */
  #predict({ worker, path, extra, random }: Extract<Operation, { type: "predict" }>): void {
    const options = {
      policy: "kv",
      random,
      pinnedWorker: this.#workers[worker % this.#workers.length],
    } as const;
    const prompt = this.#decide({ type: "decide", path, extra, options });
    const { pinnedWorker } = options;
    if (pinnedWorker === undefined) return;
    const extras = { salt: SALTS[path.salt], mmHashes: mediaOf(path, prompt.length) };
    expect(this.router.predict(pinnedWorker)).toBe(this.model.predict(pinnedWorker, prompt, extras));
  }

  /** Checks that all observable state is equal. */
  compare(): void {
    const { memoryBytes, ...stats } = this.router.stats();
    expect(memoryBytes).toBeGreaterThan(0);
    expect(stats).toEqual(this.model.stats());
    for (const worker of this.#workers) expect(this.router.load(worker)).toEqual(this.model.load(worker));
    expect(this.router.explain()).toEqual(this.model.explain());
    expect(this.#terms()).toMatchObject(
      this.model.explain().map(({ worker, overlapBlocks, prefill, decode, total }) => {
        return { worker, overlapBlocks, prefill, decode, total };
      }),
    );
  }

  #decide({ path, extra, options }: Extract<Operation, { type: "decide" }>): Uint32Array {
    const prompt = tokensFor(symbolsOf(path), this.router.blockSize, extra);
    this.router.tokenBuffer(prompt.length).set(prompt);
    const mmHashes = mediaOf(path, prompt.length);
    const all = { ...options, tokenCount: prompt.length, salt: SALTS[path.salt], mmHashes };
    const { booking: expectedBooking, ...expected } = this.model.decide(prompt, all);
    const { booking, ...decision } = this.router.decide(all);
    expect(decision).toEqual(expected);
    expect(booking < 0).toBe(expectedBooking < 0);
    if (booking >= 0) this.#bookings.push([booking, expectedBooking]);
    return prompt;
  }

  /** The candidates according to `copyTerms`. */
  #terms() {
    const workers = this.router.copyTerms(NO_TERMS);
    const terms = costTerms(workers);
    expect(this.router.copyTerms(terms)).toBe(workers);
    return Array.from({ length: workers }, (_, worker) => ({
      worker,
      overlapBlocks: terms.overlapBlocks[worker]!,
      prefill: terms.prefill[worker]!,
      decode: terms.decode[worker]!,
      total: terms.total[worker]!,
    })).filter(({ total }) => Number.isFinite(total));
  }

  #find({ path, extra, known }: Extract<Operation, { type: "find" }>): void {
    const { router } = this;
    const prompt = tokensFor(symbolsOf(path), router.blockSize, extra);
    const mmHashes = mediaOf(path, prompt.length);
    const salt = SALTS[path.salt];
    const hashes = referenceLocalHashes(prompt, { salt, blockSize: router.blockSize, mmHashes });
    if (known) {
      router.hashBuffer(hashes.length).set(hashes);
    } else {
      router.tokenBuffer(prompt.length).set(prompt);
      expect(router.hashPrompt(prompt.length, { salt, mmHashes })).toEqual(hashes);
    }
    const expected = this.model.find(hashes);
    const longest = Math.max(0, ...[...expected.values()].map(({ overlapBlocks }) => overlapBlocks));
    expect(router.find(hashes.length)).toBe(longest);
    for (const [worker, overlaps] of expected) {
      expect(router.overlap(worker)).toBe(overlaps.overlapBlocks);
      expect(router.overlap(worker, "host")).toBe(overlaps.hostBlocks);
      expect(router.overlap(worker, "disk")).toBe(overlaps.diskBlocks);
      expect(router.overlap(worker, "shared")).toBe(overlaps.sharedBlocks);
    }
  }

  #each(worker: number, who: Who, act: (worker: number) => void): void {
    const one = this.#workers[worker % this.#workers.length];
    for (const each of [...this.#workers]) {
      if (who === "all" || (each === one) === (who === "one")) act(each);
    }
  }
}

const costTerms = (workers: number): CostTerms => ({
  overlapBlocks: new Uint32Array(workers),
  prefill: new Float64Array(workers),
  decode: new Float64Array(workers),
  total: new Float64Array(workers),
});
const NO_TERMS = costTerms(0);

function symbolsOf({ segments }: Path): number[] {
  return segments.flatMap(({ symbol, length }) => Array<number>(length).fill(symbol));
}

function tokensFor(symbols: number[], blockSize: number, extra: number): Uint32Array {
  const tokens = new Uint32Array(symbols.length * blockSize + Math.min(extra, blockSize - 1));
  for (const [i, symbol] of symbols.entries()) {
    tokens.fill(0xffffffff - symbol, i * blockSize, (i + 1) * blockSize);
  }
  return tokens;
}

/** Up to three media hashes, unsorted, in every `mediaEvery`-th block. */
function mediaOf({ mediaEvery }: Path, blocks: number): (BigUint64Array | undefined)[] {
  return Array.from({ length: blocks }, (_, i) =>
    mediaEvery > 0 && i % mediaEvery === 0 ? hashesFrom(-1 - i, 1 + (i % 3)) : undefined,
  );
}

function namesOf(symbols: number[], naming: Naming, worker: number): BigUint64Array {
  const seed = { shared: 1n, own: BigInt(worker) + 2n, tiny: 0n, pairs: BigInt(worker >> 1) + 100n }[naming];
  let name = seed;
  return BigUint64Array.from(symbols, (symbol) => {
    name = BigInt.asUintN(64, name * 0x5851f42d4c957f2dn + BigInt(symbol) + 1n);
    return naming === "tiny" ? name % 11n : name;
  });
}

const runs = Number(process.env.FUZZ_RUNS ?? 12);

it("agrees with the reference model", { timeout: 3_600_000 }, () => {
  fc.assert(
    fc.property(limits, fc.array(operation, { maxLength: 120, size: "max" }), (options, operations) => {
      const pair = new Pair(options);
      for (let i = 0; i < 3; i++) pair.apply({ type: "addWorker" });
      for (const operation of operations) {
        pair.apply(operation);
        pair.compare();
      }
    }),
    { numRuns: runs },
  );
});
