import { describe, expect, test } from "vitest";
import { createLogger } from "#runtime";
import { requestFor } from "../engine.suite.ts";
import type { KvImport } from "../kv/types.ts";
import { openMocker } from "./engine.ts";
import { mockKvFormat, mockPayload, transferMs } from "./kv.ts";
import { Scheduler } from "./scheduler.ts";

const never = new AbortController().signal;
const prompt = Uint32Array.from({ length: 10 }, (_, index) => index);
const log = createLogger({ name: "test", write: () => {} });

describe("the KV of mock engines", () => {
  test("travels as fast as that of an 8-billion-parameter model over 400 Gb/s, by default", () => {
    // 8,192 tokens of 128 KiB are 1.07 GB.
    expect(transferMs({}, 8192)).toBeCloseTo(21.5, 1);
    expect(transferMs({ kvBandwidth: 1.25 }, 8192)).toBeCloseTo(859, 0);
    expect(transferMs({ kvBytesPerToken: 1024, speedup: 10 }, 8192)).toBeCloseTo(0.0168, 4);
    expect(transferMs({ speedup: 0 }, 8192)).toBe(0);
  });

  test("belongs to a model and a size per token", () => {
    const formats = [{}, { modelName: "a" }, { modelName: "b" }, { kvBytesPerToken: 1 }].map(mockKvFormat);
    expect(new Set(formats).size).toBe(4);
    expect(mockKvFormat({ modelName: "mocker", speedup: 7 })).toBe(formats[0]);
  });

  test("takes no prefill steps, but as many blocks as a prefill", () => {
    const scheduler = new Scheduler(
      { blockSize: 4, totalBlocks: 64, maxSequences: 4, maxBatchedTokens: 512 },
      { onStored() {}, onRemoved() {} },
    );
    const cached: number[] = [];
    scheduler.add({
      promptTokens: 41,
      maxTokens: 4,
      importedTokens: 40,
      hashAt: (index) => index,
      onStart: (tokens) => void cached.push(tokens),
      onToken() {},
    });
    expect(scheduler.beginStep()).toEqual({
      prefillTokens: 0,
      prefillPairs: 0,
      decodes: 1,
      contextTokens: 41,
    });
    expect(scheduler.pool.total - scheduler.pool.freeCount).toBe(11);
    expect([...scheduler.pool.contents()]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    // Its prefix cache had none of them.
    expect(cached).toEqual([0]);
  });

  test("is computed anew after a preemption", () => {
    const scheduler = new Scheduler(
      { blockSize: 4, totalBlocks: 4, maxSequences: 4, maxBatchedTokens: 512, prefixCaching: false },
      { onStored() {}, onRemoved() {} },
    );
    const request = (promptTokens: number, maxTokens: number, importedTokens?: number) => ({
      promptTokens,
      maxTokens,
      ...(importedTokens !== undefined && { importedTokens }),
      hashAt: (index: number) => index,
      onToken() {},
    });
    scheduler.add(request(7, 8));
    scheduler.add(request(7, 4, 6));
    const prefills: number[] = [];
    while (scheduler.running + scheduler.waiting > 0) {
      prefills.push(scheduler.beginStep().prefillTokens);
      scheduler.finishStep();
    }
    expect(scheduler.preemptions).toBe(1);
    expect(prefills.filter((tokens) => tokens > 0)).toEqual([7, 9]);
  });
});

describe("faults of the exchange of KV", () => {
  const open = (fault: string) => openMocker({ speedup: 0, faults: [fault], log });
  const kvFor = (signal: AbortSignal): KvImport => ({
    ...{ tokens: 9, bytes: 24, signal },
    read: async () => mockPayload(prompt.subarray(0, 9)),
  });

  async function imported(fault: string, signal = never) {
    const engine = open(fault);
    const tokens: number[] = [];
    for await (const delta of engine.importKv!(requestFor(prompt), kvFor(signal), never))
      tokens.push(...delta.tokenIds);
    return { tokens, stats: engine.stats() };
  }

  test.each([
    ["wrong-size", "failed"],
    ["expire", "expired"],
  ])("%s makes it unusable", async (mode, outcome) => {
    await expect(imported(`kv:mode=${mode}`)).rejects.toMatchObject({ outcome });
    expect((await imported(`kv:mode=${mode}:rate=0`)).tokens).toHaveLength(8);
  });

  test("stall lasts until the transfer is given up", async () => {
    const controller = new AbortController();
    const stalled = imported("kv:mode=stall", controller.signal);
    const gone = new Error("too long");
    controller.abort(gone);
    await expect(stalled).rejects.toBe(gone);
  });

  test("slow-export delays exports, and an abort ends the delay", async () => {
    const engine = open("kv:mode=slow-export:seconds=3600");
    const controller = new AbortController();
    const exporting = engine.exportKv!(requestFor(prompt), controller.signal);
    controller.abort(new Error("gone"));
    await expect(exporting).rejects.toThrow("aborted");
    const started = performance.now();
    await open("kv:mode=slow-export:seconds=0.02").exportKv!(requestFor(prompt), never);
    // Timers may fire up to a millisecond early.
    expect(performance.now() - started).toBeGreaterThan(18);
  });
});
