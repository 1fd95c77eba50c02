import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";
import { readTrace } from "./trace.ts";
import { BLOCKS_PER_STEP, buildWorkload, TOKENS_PER_STEP, Workload, writeTokens } from "./workload.ts";

const TRACE = [
  [7, 8, 9],
  [7, 8, 10],
  [11, 8],
  [7, 8],
];

/** Stand-in for the router's hashes: the sum of the tokens and the block's position. */
const hashes = (tokens: Uint32Array) =>
  BigUint64Array.from({ length: BLOCKS_PER_STEP }, (_, i) =>
    BigInt(tokens.reduce((sum, token) => sum + token, i)),
  );

describe("a workload", () => {
  const workload = buildWorkload(TRACE, hashes);

  it("has a node for each prefix, and shares contents between prefixes", () => {
    expect(TRACE.map((_, i) => [...workload.path(i)])).toEqual([
      [0, 1, 2],
      [0, 1, 3],
      [4, 5],
      [0, 1],
    ]);
    expect([...workload.contents]).toEqual([0, 1, 2, 3, 4, 1]);
    const localsOf = (node: number) =>
      workload.locals.subarray(node * BLOCKS_PER_STEP, (node + 1) * BLOCKS_PER_STEP);
    expect(localsOf(5)).toEqual(localsOf(1));
    expect(new Set(workload.engines).size).toBe(6 * BLOCKS_PER_STEP);
    expect(workload.longest).toBe(3);
  });

  it("records what a worker stores again later", () => {
    workload.assign(1);
    expect([...workload.kept]).toEqual([2, 2, 0, 0]);
    expect(workload.pairs).toBe(6 * BLOCKS_PER_STEP);
    workload.assign(2);
    expect([...workload.kept]).toEqual([0, 2, 0, 0]);
    expect(workload.pairs).toBe(8 * BLOCKS_PER_STEP);
  });

  it("survives serialisation", () => {
    expect(new Workload(workload.buffer.slice(0))).toEqual(workload);
  });

  it("assigns different tokens to different contents", () => {
    const tokens = new Uint32Array(2 * TOKENS_PER_STEP);
    writeTokens(1, tokens, 0);
    writeTokens(2, tokens, TOKENS_PER_STEP);
    expect(tokens.subarray(0, 16)).not.toEqual(tokens.subarray(TOKENS_PER_STEP, TOKENS_PER_STEP + 16));
    expect(tokens.every((token) => token < 131_072)).toBe(true);
  });
});

describe("a trace", () => {
  const folder = mkdtempSync(join(tmpdir(), "stator-trace-"));
  const file = join(folder, "trace");
  const text = TRACE.map((ids) => JSON.stringify({ timestamp: 0, hash_ids: ids })).join("\n");
  afterAll(() => rmSync(folder, { recursive: true }));

  it.each([["plain", Buffer.from(`${text}\n`)] as const, ["gzipped", gzipSync(text)] as const])(
    "can be read %s",
    (_, bytes) => {
      writeFileSync(file, bytes);
      expect(readTrace(file)).toEqual(TRACE);
    },
  );

  it("that is invalid is rejected with the line number", () => {
    writeFileSync(file, `${text}\n{"hash_ids":[0.5]}\n`);
    expect(() => readTrace(file)).toThrow(`${file}:5: a line of a trace must be`);
    writeFileSync(file, "");
    expect(() => readTrace(file)).toThrow("has no requests");
    expect(() => readTrace(join(folder, "absent"))).toThrow("cannot be read");
  });
});
