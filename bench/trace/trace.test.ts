import { readFileSync } from "node:fs";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { routerWasm } from "#cli";
import { compileRouter } from "#router-wasm";
import { H100_8B } from "#workers";
import { Agenda } from "./agenda.ts";
import { simulate } from "./simulate.ts";
import type { Simulation } from "./simulation.ts";
import { multiply, type TraceRequest } from "./trace.ts";

test("the agenda returns entries in order of time", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 60 }), (entries) => {
      const agenda = new Agenda();
      for (const [time, worker] of entries) agenda.add(time, worker);
      const taken: number[] = [];
      while (agenda.nextTime < Number.POSITIVE_INFINITY) {
        taken.push(agenda.nextTime);
        agenda.take();
      }
      expect(taken).toEqual(entries.map(([time]) => time).sort((a, b) => a - b));
    }),
  );
});

describe("a simulated trace", () => {
  let module: WebAssembly.Module;

  beforeAll(async () => {
    module = await compileRouter(readFileSync(routerWasm));
  });

  /** Interleaved conversations that grow by one id per turn. */
  const conversations = (count: number, turns: number): TraceRequest[] =>
    Array.from({ length: count * turns }, (_, index) => {
      const [turn, conversation] = [Math.floor(index / count), index % count];
      const prefixIds = Array.from({ length: 4 + turn }, (_, position) => conversation * 100 + position);
      return { arrivalMs: index * 400, promptTokens: prefixIds.length * 512, outputTokens: 20, prefixIds };
    });

  const run = (fields: Partial<Simulation>) =>
    simulate(module, {
      trace: conversations(12, 5),
      workers: 3,
      policy: "kv",
      knowledge: "events",
      predictionSeconds: 600,
      shape: { blockSize: 64, totalBlocks: 2000, maxSequences: 16, maxBatchedTokens: 2048 },
      timing: H100_8B,
      ttftSlaMs: 2000,
      itlSlaMs: 50,
      ...fields,
    });

  test("with kv routing, finds all earlier turns cached, and without it far fewer", () => {
    // Turn t with 4 + t ids finds the 3 + t before it, 22 of 30 in all, except for the last block of each.
    const kv = run({});
    expect(kv.hitRate).toBeCloseTo(22 / 30, 1);
    expect(kv.imbalance).toBeLessThan(1.3);
    expect(run({ knowledge: "predictions" }).hitRate).toBeCloseTo(kv.hitRate, 2);
    expect(run({ policy: "random" }).hitRate).toBeLessThan(kv.hitRate * 0.75);
  });

  test("can be routed by a policy in TypeScript", () => {
    // A hash of the prefix keeps conversations together too, as long as no worker is overloaded.
    const hashed = run({ policy: "prefix-hash", knowledge: "none" });
    expect(hashed.hitRate).toBeGreaterThan(run({ policy: "random" }).hitRate * 1.2);
  });

  test("can be distributed over several gateways, which benefit from preferring their own shares", () => {
    const bursts = conversations(60, 1).map((request, index) => ({
      ...request,
      arrivalMs: Math.floor(index / 12) * 4800,
    }));
    const [one, blind, shared] = [{}, { gateways: 3 }, { gateways: 3, prefersOwnShare: true }].map((fields) =>
      run({ trace: bursts, workers: 48, ...fields }),
    );
    // Gateways with the same information that do not know each other's requests send a burst to the same workers.
    expect(blind!.ttftMs.p90).toBeGreaterThan(one!.ttftMs.p90 * 1.5);
    expect(shared!.ttftMs.p90).toBeLessThan(blind!.ttftMs.p90 * 0.8);
  });

  test("is deterministic", () => {
    expect(run({ policy: "power-of-two" })).toEqual(run({ policy: "power-of-two" }));
  });

  test("copies of a trace share no prefixes", () => {
    const copies = multiply(conversations(2, 2), 3);
    expect(copies).toHaveLength(12);
    expect(new Set(copies.map(({ prefixIds }) => prefixIds[0])).size).toBe(6);
    expect(
      copies.every(({ arrivalMs }, index) => index === 0 || arrivalMs >= copies[index - 1]!.arrivalMs),
    ).toBe(true);
  });
});
