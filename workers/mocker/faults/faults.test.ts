import { describe, expect, test } from "vitest";
import { createLogger, type KvEvent } from "#runtime";
import { collect, requestFor, tokensOf } from "../../engine.suite.ts";
import type { Delta } from "../../engine.ts";
import { openMocker } from "../engine.ts";
import type { MockerOptions } from "../options.ts";
import { InjectedFaults } from "./inject.ts";
import { parseFault } from "./parse.ts";

const log = createLogger({ name: "test", write: () => {} });
const prompt = Uint32Array.of(1, 2, 3);

/** An engine with these faults, and how its requests end. */
function open(faults: string[], options: MockerOptions = {}) {
  let crashes = 0;
  const engine = openMocker({ speedup: 0, blockSize: 4, faults, log, crash: () => crashes++, ...options });
  const send = async (maxTokens = 8, signal = new AbortController().signal) => {
    const deltas: Delta[] = [];
    try {
      for await (const delta of engine.generate(requestFor(prompt, { maxTokens }), signal))
        deltas.push(delta);
      return { tokens: tokensOf(deltas).length, error: undefined };
    } catch (error) {
      return { tokens: tokensOf(deltas).length, error: (error as Error).message };
    }
  };
  return { engine, send, crashes: () => crashes };
}

describe("a fault", () => {
  test.each([
    ["hnag", "the faults are hang, crash, error, slow, wrong-events, kv; did you mean hang?"],
    ["", "the faults are hang, crash, error, slow, wrong-events, kv"],
    ["toString", "the faults are hang, crash, error, slow, wrong-events, kv"],
    ["hang:after=3", "hang has no 'after', only rate, after-requests, after-tokens"],
    ["hang:rate", "hang needs rate=VALUE, not 'rate'"],
    ["hang:rate=", "hang needs rate=VALUE, not 'rate='"],
    ["hang:rate=1=2", "hang needs rate=VALUE, not 'rate=1=2'"],
    ["hang:rate=1:rate=1", "hang has rate twice"],
    ["hang:rate=1.5", "hang: rate cannot be 1.5"],
    ["hang:rate=often", "hang: rate cannot be often"],
    ["error:after-tokens=-1", "error: after-tokens cannot be -1"],
    ["error:after-tokens=1.5", "error: after-tokens cannot be 1.5"],
    ["crash", "crash: it needs after-requests or after-tokens"],
    ["slow", "slow needs factor=VALUE"],
    ["slow:factor=0", "slow: factor cannot be 0"],
    ["wrong-events:mode=lie", "wrong-events: mode cannot be lie"],
    ["kv", "kv needs mode=VALUE"],
    ["kv:mode=lose", "kv: mode cannot be lose"],
  ])("%j is refused: %s", (text, message) => {
    expect(() => parseFault(text)).toThrow(message);
  });

  test("is logged, and hits the same requests with the same seed", async () => {
    const lines: string[] = [];
    const outcomes = async (faultSeed: number) => {
      const { send } = open(["error:rate=0.4"], {
        faultSeed,
        log: createLogger({ name: "test", write: (line) => lines.push(line) }),
      });
      const struck: boolean[] = [];
      for (let count = 0; count < 50; count++) struck.push((await send(1)).error !== undefined);
      return struck;
    };
    const [first, again, other] = [await outcomes(7), await outcomes(7), await outcomes(8)];
    expect(again).toEqual(first);
    expect(other).not.toEqual(first);
    expect(first.filter(Boolean).length).toBeGreaterThan(10);
    expect(first.filter(Boolean).length).toBeLessThan(30);
    expect(lines[0]).toContain("faults are injected");
  });
});

describe("error", () => {
  test("fails requests after a number of tokens, but not the first ones", async () => {
    const { engine, send } = open(["error:after-requests=2:after-tokens=3"]);
    const good = { tokens: 8, error: undefined };
    expect([await send(), await send()]).toEqual([good, good]);
    const struck = { tokens: 3, error: "Injected fault: the request fails." };
    expect([await send(), await send()]).toEqual([struck, struck]);
    // An answer that has ended by then is not hit.
    expect(await send(3)).toEqual({ tokens: 3, error: undefined });
    expect(engine.stats()).toMatchObject({ running: 0, waiting: 0 });
  });
});

describe("hang", () => {
  test("stops an answer after a number of tokens until it is aborted", async () => {
    const { engine, send } = open(["hang:after-tokens=2:rate=1"]);
    const controller = new AbortController();
    let isOver = false;
    const answer = send(8, controller.signal).finally(() => {
      isOver = true;
    });
    while (engine.stats().running === 0) await new Promise((resolve) => setImmediate(resolve));
    while (engine.stats().running > 0) await new Promise((resolve) => setImmediate(resolve));
    expect(isOver).toBe(false);
    controller.abort();
    expect(await answer).toEqual({ tokens: 2, error: undefined });
  });
});

describe("crash", () => {
  test("happens at the request after the last good one", async () => {
    const { send, crashes } = open(["crash:after-requests=2"]);
    await send();
    await send();
    expect(crashes()).toBe(0);
    await send();
    expect(crashes()).toBeGreaterThan(0);
  });

  test("happens at the token after the last good one, of any request", async () => {
    const { send, crashes } = open(["crash:after-tokens=10"]);
    await send(8);
    await send(2);
    expect(crashes()).toBe(0);
    await send(1);
    expect(crashes()).toBe(1);
  });
});

describe("slow", () => {
  test("multiplies the time of a share of the steps", () => {
    const factors = (...faults: string[]) => {
      const injected = new InjectedFaults({ faults, seed: 1, log });
      return Array.from({ length: 400 }, () => injected.stepFactor());
    };
    expect(new Set(factors())).toEqual(new Set([1]));
    expect(new Set(factors("slow:factor=3"))).toEqual(new Set([3]));
    expect(new Set(factors("slow:factor=3", "slow:factor=0.5"))).toEqual(new Set([1.5]));
    const some = factors("slow:factor=10:rate=0.25").filter((factor) => factor === 10).length;
    expect(some).toBeGreaterThan(60);
    expect(some).toBeLessThan(140);
  });

  test("is refused if steps take no time", () => {
    expect(() => open(["slow:factor=3"])).toThrow("has no effect, because steps take no time");
  });
});

describe("wrong-events", () => {
  const events = (count: number): KvEvent[] =>
    Array.from({ length: count }, (_, index) => ({
      type: "removed",
      blockHashes: BigUint64Array.of(BigInt(index)),
    }));
  const numbers = (all: readonly KvEvent[]) =>
    all.flatMap((event) => (event.type === "cleared" ? [] : [...event.blockHashes].map(Number)));
  const distort = (fault: string, batches: KvEvent[][], rank = 0) => {
    const injected = new InjectedFaults({ faults: [fault], seed: 3, log });
    return numbers(batches.flatMap((batch) => injected.events(batch, rank)));
  };
  const one = (count: number) => events(count).map((event) => [event]);

  test.each([
    ["drop", []],
    ["duplicate", [0, 0, 1, 1, 2, 2, 3, 3]],
    ["reorder", [1, 0, 3, 2]],
  ])("%s, within a batch and across batches", (mode, wanted) => {
    expect(distort(`wrong-events:mode=${mode}`, [events(4)])).toEqual(wanted);
    expect(distort(`wrong-events:mode=${mode}`, one(4))).toEqual(wanted);
  });

  test("corrupt changes every hash, and nothing else", () => {
    const corrupted = distort("wrong-events:mode=corrupt", [events(50)]);
    expect(corrupted).toHaveLength(50);
    for (const [index, hash] of corrupted.entries()) expect(hash).not.toBe(index);
    expect(distort("wrong-events:mode=corrupt", [[{ type: "cleared" }]])).toEqual([]);
  });

  test("holds events back only for their own rank", () => {
    const injected = new InjectedFaults({ faults: ["wrong-events:mode=reorder"], seed: 1, log });
    const [zero, one, two, three] = events(4);
    expect(injected.events([zero!], 0)).toEqual([]);
    expect(injected.events([one!], 1)).toEqual([]);
    expect(injected.events([two!], 0)).toEqual([two, zero]);
    expect(injected.events([three!], 1)).toEqual([three, one]);
  });

  test("hits a share of the events, in all four ways without a mode", () => {
    const mild = distort("wrong-events:rate=0.1", one(1000));
    const right = mild.filter((number, index) => mild.indexOf(number) === index && number < 1000).length;
    expect(right).toBeGreaterThan(900);
    expect(right).toBeLessThan(970);
    expect(mild.length).toBeGreaterThan(right);
  });

  test("leaves an engine's snapshots correct", async () => {
    const { engine } = open(["wrong-events:mode=corrupt"]);
    const told: KvEvent[] = [];
    engine.kvEvents!.subscribe((batch) => void told.push(...batch));
    const tokens = new Uint32Array(12).fill(5);
    await collect(engine.generate(requestFor(tokens, { maxTokens: 1 }), new AbortController().signal));
    const { engine: right } = open([]);
    await collect(right.generate(requestFor(tokens, { maxTokens: 1 }), new AbortController().signal));
    expect(numbers(engine.kvEvents!.snapshot(0))).toEqual(numbers(right.kvEvents!.snapshot(0)));
    expect(numbers(told)).not.toEqual(numbers(engine.kvEvents!.snapshot(0)));
  });
});
