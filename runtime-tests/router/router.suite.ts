/** The conformance suite of the router on JavaScript hosts, which replays a trace. Uses web standards only. */
import { type CostTerms, createRouter, type Router, type Salt } from "../../router-wasm/index.ts";
import {
  hashesOf,
  hashOptionsOf,
  mediaOf,
  type Report,
  rowOfCandidate,
  rowOfLoad,
  type Scenario,
  type Step,
  type Trace,
  toHex,
  tokensOf,
} from "./trace.ts";

const MOST_FAILURES = 20;

/** Replays the trace on routers with the compiled core. */
export function replay(module: WebAssembly.Module, trace: Trace): Report {
  const report: Report = { checks: 0, failures: [], memoryBytes: [] };
  const check = (scenario: string, step: number, expected: unknown, actual: unknown) => {
    report.checks++;
    if (isEqual(expected, actual) || report.failures.length === MOST_FAILURES) return;
    report.failures.push({ scenario, step, expected, actual });
  };
  const hasher = createRouter(module, { blockSize: 16 });
  for (const [i, vector] of trace.vectors.entries()) {
    const { blockHashes, sequenceHashes } = hasher.hashBlocks(
      Uint32Array.from(vector.tokens),
      hashOptionsOf(vector),
    );
    check("hashing", i, vector.block_hashes, Array.from(blockHashes, String));
    check("hashing", i, vector.sequence_hashes, Array.from(sequenceHashes, String));
  }
  for (const scenario of trace.scenarios) {
    const player = new Player(createRouter(module, scenario.options), scenario);
    for (const [i, step] of scenario.steps.entries()) {
      const actual = player.play(step);
      if ("expect" in step) check(scenario.name, i, step.expect, actual);
    }
    report.memoryBytes.push(player.router.stats().memoryBytes);
  }
  return report;
}

/** Performs the steps of one scenario. */
class Player {
  readonly router: Router;
  readonly #salts: readonly Salt[];
  /** The core's handles by the numbers of bookings in the trace. */
  readonly #bookings: number[] = [];

  constructor(router: Router, scenario: Scenario) {
    this.router = router;
    this.#salts = scenario.salts;
  }

  /** The answer in the format of the trace. */
  play(step: Step): unknown {
    const { router } = this;
    switch (step.do) {
      case "addWorker":
        return router.addWorker();
      case "removeWorker":
      case "clearWorker":
        return step.workers.map((worker) => router[step.do](worker));
      case "clearShared":
        return router.clearShared();
      case "setEligible":
        return step.workers.map((worker) => router.setEligible(worker, step.eligible));
      case "setLimits":
        return step.workers.map((worker) => router.setLimits(worker, step.limits));
      case "applyStored":
        return this.#applyStored(step);
      case "applyHashed": {
        const [hashes, locals] = [hashesOf(step.hashes), hashesOf(step.locals)];
        const parent = step.parent === undefined ? undefined : BigInt(step.parent);
        return step.workers.map((worker) => router.applyHashed(worker, hashes, parent, locals, step.tier));
      }
      case "applyCopied":
      case "applyRemoved": {
        const hashes = hashesOf(step.hashes);
        return step.workers.map((worker) => router[step.do](worker, hashes, step.tier));
      }
      case "applyBatch":
        return this.#applyBatch(step);
      case "setPredictions":
        return step.workers.map((worker) => router.setPredictions(worker, step.options));
      case "passTime":
        return router.passTime(step.now);
      case "decide":
        return this.#decide(step);
      case "predict":
        return router.predict(step.worker);
      case "explain":
        return this.#explain();
      case "find":
        return this.#find(step);
      case "firstToken":
      case "free":
        return router[step.do](this.#bookings[step.booking]!);
      case "grow":
        return router.grow(this.#bookings[step.booking]!, step.blocks);
      case "setWeights":
        return router.setWeights(step.weights);
      case "load":
        return step.workers.map((worker) => rowOfLoad(router.load(worker)));
      case "stats": {
        const { memoryBytes: _, ...stats } = router.stats();
        return stats;
      }
    }
  }

  #applyStored(step: Step & { do: "applyStored" }): number[] {
    const hashes = hashesOf(step.hashes);
    const parent = step.parent === undefined ? undefined : BigInt(step.parent);
    const tokens = tokensOf(step.tokens);
    const options = { salt: this.#salt(step.salt), mmHashes: mediaOf(step.media), tier: step.tier };
    return step.workers.map((worker) => this.router.applyStored(worker, hashes, parent, tokens, options));
  }

  #applyBatch({ worker, payload }: Step & { do: "applyBatch" }): unknown {
    const bytes = Uint8Array.from(payload.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
    const batch = this.router.readBatch(bytes);
    if (batch === undefined) return null;
    const { events, storedEvents, rank } = batch;
    return { events, storedEvents, rank, changed: this.router.applyBatch(worker) };
  }

  #decide(step: Step & { do: "decide" }): unknown {
    const tokens = tokensOf(step.tokens);
    this.router.tokenBuffer(tokens.length).set(tokens);
    const { terms, ...options } = step.options;
    const { booking, ...chosen } = this.router.decide({
      ...options,
      terms: terms && Float64Array.from(terms),
      tokenCount: tokens.length,
      salt: this.#salt(step.salt),
      mmHashes: mediaOf(step.media),
    });
    if (booking >= 0) this.#bookings.push(booking);
    return { ...chosen, booked: booking >= 0 };
  }

  /** The result of `explain`, with which `copyTerms` must agree. */
  #explain(): number[][] {
    const rows = this.router.explain().map(rowOfCandidate);
    const workers = this.router.copyTerms(termsOf(0));
    const terms = termsOf(workers);
    this.router.copyTerms(terms);
    const agrees = rows.every(([worker, overlap, , , , prefill, decode, total]) => {
      const { overlapBlocks, prefill: prefills, decode: decodes, total: totals } = terms;
      const at = worker!;
      return (
        overlapBlocks[at] === overlap &&
        prefills[at] === prefill &&
        decodes[at] === decode &&
        totals[at] === total
      );
    });
    return agrees ? rows : [];
  }

  #find(step: Step & { do: "find" }): unknown {
    const { router } = this;
    const tokens = tokensOf(step.tokens);
    router.tokenBuffer(tokens.length).set(tokens);
    const hashes = router
      .hashPrompt(tokens.length, { salt: this.#salt(step.salt), mmHashes: mediaOf(step.media) })
      .slice();
    router.hashBuffer(hashes.length).set(hashes);
    const longest = router.find(hashes.length);
    const overlaps = step.expect.overlaps.map(([worker]) => [
      worker!,
      router.overlap(worker!),
      router.overlap(worker!, "host"),
      router.overlap(worker!, "disk"),
      router.overlap(worker!, "shared"),
    ]);
    return { hashes: toHex(hashes), longest, overlaps };
  }

  #salt(index: number | undefined): Salt | undefined {
    return index === undefined ? undefined : this.#salts[index];
  }
}

function termsOf(workers: number): CostTerms {
  return {
    overlapBlocks: new Uint32Array(workers),
    prefill: new Float64Array(workers),
    decode: new Float64Array(workers),
    total: new Float64Array(workers),
  };
}

/** Deep equality of JSON values, ignoring the order of keys. */
function isEqual(a: unknown, b: unknown): boolean {
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return a === b;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => key in b && isEqual(a[key as keyof typeof a], b[key as keyof typeof b]))
  );
}
