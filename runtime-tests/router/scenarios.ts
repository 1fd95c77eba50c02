import { readFileSync } from "node:fs";
import type { Policy, Tier } from "../../router-wasm/index.ts";
import { Draws } from "./draws.ts";
import { lifeOf } from "./life.ts";
import { Recorder } from "./record.ts";
import { mediaFor, namesOf, pathOf, promptOf, runsOf } from "./text.ts";
import type { Scenario, Trace } from "./trace.ts";
import { encodeBatch, type WireEvent } from "./wire.ts";

const POLICIES: Policy[] = ["kv", "round-robin", "random", "least-loaded", "power-of-two"];

/** Records the trace that every host replays; deterministic for each seed. Takes some seconds. */
export function recordTrace(seed: number): Trace {
  const fixtures = new URL("../../router-wasm/fixtures/block-hash-vectors.json", import.meta.url);
  return {
    vectors: JSON.parse(readFileSync(fixtures, "utf8")),
    scenarios: [
      storing(),
      names(),
      batches(),
      longPrompts(),
      policies(),
      weights(),
      loads(),
      tiers(),
      predictions(),
      saltsAndMedia(),
      evictions(),
      manyWorkers(),
      lifeOf("random steps, 8 workers", { blockSize: 16, maxWorkers: 9 }, 8, 500, seed),
      lifeOf("random steps, blocks of 3 tokens", { blockSize: 3, maxWorkers: 40 }, 24, 300, seed + 1),
      lifeOf(
        "random steps at the limits",
        { blockSize: 4, maxBlocks: 100, maxBookings: 7 },
        8,
        400,
        seed + 2,
      ),
      lifeOf("random steps, 1,024 workers", { blockSize: 16 }, 1024, 40, seed + 3),
    ],
  };
}

/** A trace with one wrong answer, which every host must report, to prove that it checks answers. */
export function recordWrongTrace(): Trace {
  const recorder = new Recorder("a wrong answer", { blockSize: 4 });
  recorder.addWorkers(3);
  const { scenario } = recorder;
  scenario.steps[1] = { do: "addWorker", expect: 7 };
  return { vectors: [], scenarios: [scenario] };
}

function storing(): Scenario {
  const recorder = new Recorder("blocks stored and removed", { blockSize: 4 });
  recorder.addWorkers(3);
  const path = pathOf([1, 80]);
  const hashes = namesOf(path, 0);
  const observe = () => {
    recorder.find(promptOf(path, 4));
    recorder.observe();
  };
  // In two events, the second after the first one's last block; then repeated, as engines may do.
  for (let time = 0; time < 2; time++) {
    recorder.stored({ workers: [0, 1], hashes: hashes.slice(0, 50), tokens: runsOf(path.slice(0, 50), 4) });
    recorder.stored({
      workers: [0],
      hashes: hashes.slice(50),
      parent: hashes[49]!,
      tokens: runsOf(path.slice(50), 4),
    });
    observe();
  }
  // After a block that the worker does not have.
  for (const parent of [hashes[60]!, "0xdead"]) {
    recorder.stored({ workers: [1, 2], hashes: ["0x77"], parent, tokens: runsOf([900], 4) });
  }
  observe();
  // From the middle, by several workers, and stored again.
  recorder.removed([0, 1, 2], hashes.slice(40, 42));
  observe();
  recorder.stored({
    workers: [0],
    hashes: hashes.slice(40, 42),
    parent: hashes[39]!,
    tokens: runsOf(path.slice(40, 42), 4),
  });
  observe();
  // A branch from the middle of a run, and an event with local hashes.
  const branch = pathOf([1, 20], [500, 30]);
  recorder.hashed({
    workers: [2, 1],
    hashes: namesOf(branch, 0),
    tokens: runsOf(branch, 4),
  });
  recorder.find(promptOf(branch, 4));
  recorder.removeWorker(1);
  observe();
  recorder.addWorkers(1);
  recorder.clearWorkers([0, 2]);
  observe();
  return recorder.scenario;
}

function names(): Scenario {
  const recorder = new Recorder("engines with different hashes", { blockSize: 4 });
  recorder.addWorkers(12);
  const path = pathOf([1, 21]);
  const { workers } = recorder;
  for (const worker of workers) {
    const hashes = namesOf(path.slice(0, 20), worker + 1);
    recorder.stored({ workers: [worker], hashes, tokens: runsOf(path.slice(0, 20), 4) });
  }
  recorder.observe();
  for (const worker of workers.filter((worker) => worker !== 5)) {
    recorder.removed([worker], namesOf(path.slice(0, 20), worker + 1));
  }
  const own = namesOf(path, 6);
  recorder.stored({ workers: [5], hashes: [own[20]!], parent: own[19]!, tokens: runsOf([path[20]!], 4) });
  recorder.find(promptOf(path, 4));
  // The same few hashes for different blocks, by different workers and by one worker.
  const few = ["0x1", "0x2", "0x3", "0x2", "0xffffffffffffffff"];
  for (const worker of workers.slice(0, 4)) {
    recorder.stored({ workers: [worker], hashes: few, tokens: runsOf(pathOf([1000 + 50 * worker, 5]), 4) });
  }
  for (const worker of workers.slice(0, 4)) recorder.find(promptOf(pathOf([1000 + 50 * worker, 5]), 4));
  recorder.removed(workers, few);
  recorder.observe();
  return recorder.scenario;
}

function batches(): Scenario {
  const recorder = new Recorder("batches of events in vLLM's wire format", { blockSize: 16 });
  recorder.addWorkers(3);
  const path = pathOf([1, 60]);
  const hashes = namesOf(path, 0);
  const stored = (from: number, to: number): WireEvent => ({
    type: "BlockStored",
    hashes: hashes.slice(from, to),
    tokens: runsOf(path.slice(from, to), 16),
    ...(from > 0 && { parent: hashes[from - 1]! }),
  });
  const observe = () => {
    recorder.find(promptOf(path, 16));
    recorder.observe();
  };
  for (const worker of recorder.workers) {
    const isArray = worker === 1;
    recorder.batch(
      worker,
      [stored(0, 20), { ...stored(20, 40), isArray }, { ...stored(40, 41), isArray }],
      worker,
    );
    observe();
  }
  // Copies on disk and in host memory, a removal, blocks after an unknown one.
  const copies: WireEvent[] = [
    { type: "BlockStored", hashes: hashes.slice(0, 10), tier: "host" },
    { type: "BlockStored", hashes: hashes.slice(30, 42), tier: "disk", isArray: true },
    { type: "BlockRemoved", hashes: hashes.slice(30, 35) },
    { type: "BlockRemoved", hashes: hashes.slice(2, 60), tier: "host", isArray: true },
    stored(50, 60),
  ];
  recorder.batch(0, copies, 300);
  observe();
  recorder.batch(1, [{ type: "AllBlocksCleared" }, stored(0, 5)], 0);
  observe();
  // Truncated, with another block size, and empty.
  const whole = encodeBatch([stored(0, 5)], 0, 16);
  for (const payload of [whole.slice(0, -40), encodeBatch([stored(0, 5)], 0, 32), "", "00"])
    recorder.unreadBatch(2, payload);
  observe();
  return recorder.scenario;
}

function longPrompts(): Scenario {
  const recorder = new Recorder("prompts of 48,000 tokens in several pieces", { blockSize: 16 });
  recorder.addWorkers(3);
  const path = pathOf([1, 3000]);
  const hashes = namesOf(path, 0);
  for (const [worker, blocks] of [3000, 1023, 1025].entries()) {
    const event = { hashes: hashes.slice(0, blocks), tokens: runsOf(path.slice(0, blocks), 16) };
    recorder.stored({ workers: [worker], ...event });
  }
  recorder.decide({ tokens: runsOf(path, 16) }, { policy: "kv", random: 0 });
  recorder.explain();
  recorder.removed([0], hashes.slice(1500, 2900));
  recorder.decide({ tokens: runsOf(path, 16) }, { policy: "kv", random: 0 });
  recorder.explain();
  recorder.observe();
  return recorder.scenario;
}

function policies(): Scenario {
  const recorder = new Recorder("every policy", { blockSize: 16 });
  recorder.addWorkers(8);
  const draws = new Draws(5);
  for (const worker of recorder.workers) {
    const path = pathOf([1, 5 * worker + 1]);
    recorder.stored({ workers: [worker], hashes: namesOf(path, 0), tokens: runsOf(path, 16) });
  }
  for (const policy of POLICIES) {
    for (let i = 0; i < 12; i++) {
      const prompt = {
        tokens: [...runsOf(pathOf([1, draws.below(40)]), 16), [0xfffffff0, 5]] as [number, number][],
      };
      recorder.decide(prompt, { policy, random: draws.fraction() });
      recorder.decide(prompt, {
        policy,
        random: draws.fraction(),
        excluded: [draws.below(8), draws.below(8), 99],
        expectedOutputTokens: draws.below(300),
      });
      recorder.decide(prompt, {
        policy,
        random: draws.fraction(),
        pinnedWorker: draws.below(9),
        book: false,
      });
      recorder.decide(prompt, { policy, random: draws.fraction(), decodeOnly: true });
      recorder.explain();
    }
    recorder.observe();
    recorder.setEligible([draws.below(8)], false);
  }
  recorder.setEligible(recorder.workers, false);
  recorder.decide({ tokens: [[7, 64]] }, { policy: "kv", random: 0 });
  return recorder.scenario;
}

function weights(): Scenario {
  const recorder = new Recorder("weights and temperature", {
    blockSize: 16,
    weights: { overlapCredit: 0.7, activeRequestWeight: 1.1 },
  });
  recorder.addWorkers(8);
  const draws = new Draws(6);
  const path = pathOf([1, 40]);
  for (const worker of recorder.workers) {
    const held = path.slice(0, 5 * worker);
    recorder.stored({ workers: [worker], hashes: namesOf(held, 0), tokens: runsOf(held, 16) });
  }
  for (let i = 0; i < 40; i++) {
    if (i % 4 === 3) {
      recorder.setWeights({
        overlapCredit: draws.below(4) / 3,
        creditDecay: draws.below(3) / 7,
        prefillLoadScale: draws.fraction() * 2,
        activeRequestWeight: draws.fraction(),
        recentPrefillWeight: draws.fraction(),
        recentPrefillSeconds: draws.of([0, 30, 600]),
        temperature: draws.below(2) * draws.fraction(),
      });
    }
    const prompt = { tokens: runsOf(path.slice(0, draws.below(41)), 16) };
    recorder.decide(prompt, { policy: "kv", random: draws.fraction() });
    recorder.explain();
    const own = { overlapCredit: draws.fraction() * 3, temperature: draws.fraction() };
    recorder.decide(prompt, { policy: "kv", random: draws.fraction(), terms: [0, 0.7, i], now: i, ...own });
    recorder.explain();
  }
  return recorder.scenario;
}

function loads(): Scenario {
  const recorder = new Recorder("bookings and load limits", { blockSize: 16, maxBookings: 6 });
  recorder.addWorkers(3);
  const prompt = { tokens: runsOf(pathOf([1, 10]), 16) };
  recorder.setLimits([0, 1], { activePrefillTokens: 200 });
  recorder.setLimits([2], { activeDecodeBlocks: 15, activePrefillTokens: 1000 });
  for (let i = 0; i < 8; i++) {
    recorder.decide(prompt, { policy: "least-loaded", random: 0.5, expectedOutputTokens: 16 * i + 1 });
    recorder.observe();
  }
  recorder.firstToken(0);
  recorder.firstToken(0);
  recorder.grow(1, 3);
  recorder.grow(2, 0.5);
  recorder.observe();
  recorder.free(0);
  recorder.free(0);
  recorder.firstToken(0);
  recorder.decide(prompt, { policy: "kv", random: 0 });
  recorder.removeWorker(1);
  recorder.addWorkers(1);
  for (let booking = 0; booking < recorder.bookings; booking++) recorder.free(booking);
  recorder.setLimits([0, 1, 2], {});
  recorder.decide(prompt, { policy: "kv", random: 0.999 });
  recorder.observe();
  return recorder.scenario;
}

function tiers(): Scenario {
  const recorder = new Recorder("tiers", { blockSize: 16 });
  recorder.addWorkers(4);
  const path = pathOf([1, 60]);
  const hashes = namesOf(path, 0);
  const put = (worker: number, tier: Tier, from: number, to: number) => {
    const parent = from > 0 ? { parent: hashes[from - 1]! } : {};
    const tokens = runsOf(path.slice(from, to), 16);
    recorder.stored({ workers: [worker], hashes: hashes.slice(from, to), tokens, tier, ...parent });
  };
  put(0, "device", 0, 20);
  put(0, "host", 20, 40);
  put(0, "disk", 40, 60);
  put(1, "host", 0, 30);
  put(2, "device", 0, 10);
  recorder.copied([1, 2], hashes.slice(0, 30), "shared");
  recorder.copied([3], hashes.slice(0, 12), "disk");
  recorder.copied([0], hashes.slice(10, 20), "host");
  const prompt = { tokens: runsOf(path, 16) };
  const observe = () => {
    recorder.find(prompt);
    recorder.decide(prompt, { policy: "kv", random: 0 });
    recorder.explain();
    recorder.decide(prompt, { policy: "kv", random: 0, decodeOnly: true });
    recorder.explain();
    recorder.observe();
  };
  observe();
  recorder.removed([0], hashes.slice(15, 20), "device");
  recorder.removed([1], hashes.slice(5, 6), "shared");
  observe();
  recorder.setWeights({ hostCredit: 0.9, diskCredit: 0.1, sharedMultiplier: 0.3 });
  observe();
  recorder.clearShared();
  recorder.clearWorkers([0]);
  observe();
  return recorder.scenario;
}

function predictions(): Scenario {
  const recorder = new Recorder("predictions and their expiry", { blockSize: 16 });
  recorder.addWorkers(3);
  recorder.setPredictions([0], { ttlSeconds: 10 });
  recorder.setPredictions([1], { ttlSeconds: 100, capacityBlocks: 40 });
  for (let i = 0; i < 8; i++) {
    for (const worker of recorder.workers) {
      const prompt = { tokens: runsOf(pathOf([1, 10], [1000 + 40 * (i % 5), 12]), 16) };
      recorder.predict(worker, prompt, { policy: "kv", random: 0, now: 3.3 * i });
    }
    recorder.find({ tokens: runsOf(pathOf([1, 10], [1000, 12]), 16) });
    recorder.observe();
  }
  recorder.passTime(35);
  recorder.observe();
  recorder.setPredictions([1], { ttlSeconds: 1, capacityBlocks: 15 });
  recorder.observe();
  recorder.setPredictions([1], undefined);
  recorder.passTime(1_000_000);
  recorder.observe();
  return recorder.scenario;
}

function saltsAndMedia(): Scenario {
  const salts = [
    {},
    { loraName: "adapter" },
    { loraName: "adapter", namespace: "mieter-ü" },
    { namespace: "tenant" },
    { namespace: "tenant", sharedBlocks: 7 },
  ];
  const recorder = new Recorder("salts and media", { blockSize: 16 }, salts);
  recorder.addWorkers(5);
  const path = pathOf([1, 40]);
  const variants = salts.flatMap((_, salt) => [{ salt }, { salt, media: mediaFor(40, 3) }]);
  for (const [i, extras] of variants.entries()) {
    const workers = [i % 4, 4];
    recorder.stored({ workers, hashes: namesOf(path, i), tokens: runsOf(path, 16), ...extras });
  }
  recorder.hashed({ workers: [0], hashes: namesOf(path, 77), tokens: runsOf(path, 16), salt: 3 });
  for (const extras of variants) {
    const prompt = { tokens: runsOf(path, 16), ...extras };
    recorder.find(prompt);
    recorder.decide(prompt, { policy: "kv", random: 0.3 });
    recorder.explain();
  }
  recorder.observe();
  return recorder.scenario;
}

function evictions(): Scenario {
  const recorder = new Recorder("limits: evicts the blocks stored longest ago", {
    blockSize: 4,
    maxBlocks: 100,
  });
  recorder.addWorkers(2);
  for (let i = 0; i < 14; i++) {
    const path = pathOf([100 * i, 20]);
    recorder.stored({ workers: [i % 2], hashes: namesOf(path, 0), tokens: runsOf(path, 4) });
    recorder.observe();
  }
  for (let i = 0; i < 14; i++) recorder.find(promptOf(pathOf([100 * i, 20]), 4));
  // More than fits, in one event.
  const path = pathOf([5000, 130]);
  recorder.stored({ workers: [0], hashes: namesOf(path, 0), tokens: runsOf(path, 4) });
  recorder.find(promptOf(path, 4));
  recorder.observe();
  return recorder.scenario;
}

function manyWorkers(): Scenario {
  const recorder = new Recorder("1,024 workers that share a prefix", { blockSize: 4, maxWorkers: 1024 });
  recorder.addWorkers(1024);
  const path = pathOf([1, 100]);
  const { workers } = recorder;
  const ofLength = new Map<number, number[]>();
  for (const worker of workers) {
    const blocks = worker % 5 === 0 ? worker % 101 : 96;
    ofLength.set(blocks, [...(ofLength.get(blocks) ?? []), worker]);
  }
  for (const [blocks, some] of ofLength) {
    const held = path.slice(0, blocks);
    recorder.stored({
      workers: some,
      hashes: namesOf(held, some.length > 100 ? 0 : blocks),
      tokens: runsOf(held, 4),
    });
  }
  const prompt = promptOf(path, 4);
  for (const policy of POLICIES) {
    for (const random of [0, 0.37, 1 - 2 ** -53]) recorder.decide(prompt, { policy, random });
  }
  recorder.explain();
  recorder.find(prompt);
  recorder.clearWorkers(workers.filter((worker) => worker % 2 === 0));
  recorder.setEligible(workers.slice(0, 900), false);
  recorder.decide(prompt, { policy: "kv", random: 0.5, temperature: 0.5 });
  recorder.explain();
  recorder.removed(workers, namesOf(path, 0).slice(30, 60));
  recorder.find(prompt);
  recorder.observe();
  return recorder.scenario;
}
