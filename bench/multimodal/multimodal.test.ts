import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { routerWasm } from "#cli";
import { compileRouter } from "#router-wasm";
import { H100_8B } from "#workers";
import { measurePath } from "./cost/gateway-path.ts";
import { chatWith, pictureFile } from "./cost/pictures.ts";
import { encodeTimingOf } from "./simulation/encode-timing.ts";
import type { Routing } from "./simulation/gateway.ts";
import { simulatePictures } from "./simulation/simulate.ts";
import { requestsOf, type Workload } from "./simulation/workload.ts";

describe("simulated requests with pictures", () => {
  let module: WebAssembly.Module;

  beforeAll(async () => {
    module = await compileRouter(readFileSync(routerWasm));
  });

  const workload: Workload = {
    conversations: 120,
    perSecond: 12,
    pictures: 20,
    zipf: 1,
    megapixels: [0.25],
    meanTurns: 2,
    thinkSeconds: 2,
    textRequests: 0,
    systemTokens: 40,
    questionTokens: 20,
    textTokens: 100,
    answerTokens: 20,
    seed: 1,
  };
  const run = (
    own: Partial<Workload>,
    { routing = "media-aware", encoders = 0 }: { routing?: Routing; encoders?: number },
  ) =>
    simulatePictures(module, {
      requests: requestsOf({ ...workload, ...own }),
      routing,
      gpus: 4,
      encoders,
      encode: encodeTimingOf(6),
      shape: { blockSize: 64, totalBlocks: 2000, maxSequences: 64, maxBatchedTokens: 2048 },
      timing: H100_8B,
      encoderCacheTokens: 2048,
      transfer: { latencyMs: 1, bytesPerToken: 8192, bandwidth: 50 },
      limits: { ttftMs: 1000, itlMs: 25 },
    });

  test("find pictures where they are cached, if their hashes tell them apart", async () => {
    const aware = await run({}, {});
    const text = await run({}, { routing: "text-only" });
    expect(aware.mispredicted).toBeLessThan(0.02);
    expect(text.mispredicted).toBeGreaterThan(0.1);
    expect(text.hitRate).toBeLessThan(aware.hitRate);
    expect(text.encodes).toBeGreaterThan(aware.encodes);
  });

  test("have each picture encoded once by encode engines, without disturbing answers", async () => {
    const busy = { pictures: 60, zipf: 0, textRequests: 1 };
    const aggregated = await run(busy, {});
    const separated = await run(busy, { encoders: 2 });
    expect(separated.encodes).toBeLessThanOrEqual(60);
    expect(aggregated.encodersBusy).toBe(0);
    expect(separated.encodersBusy).toBeGreaterThan(0);
    expect(separated.itlMs.p99).toBeLessThan(aggregated.itlMs.p99);
  });
});

test("an encoder takes two operations for each parameter and patch of 14 × 14 pixels", () => {
  const { baseMs, megapixelMs } = encodeTimingOf(1, { tflops: 100, terabytesPerSecond: 2 });
  expect(baseMs).toBeCloseTo(1);
  expect(megapixelMs).toBeCloseTo((2e9 * (1e6 / 196)) / 1e14 / 1e-3);
});

test.each(["png", "jpeg"] as const)("the gateway takes a %s, and copies none of it", async (format) => {
  const { copiedBytes } = await measurePath(chatWith(format, pictureFile(format, 100_000)));
  expect(copiedBytes).toBeLessThan(500);
});
