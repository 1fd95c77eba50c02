import { describe, expect, test } from "vitest";
import { duration, RateLimiter } from "./rate-limit.ts";

const limiter = (requestsPerMinute?: number, tokensPerMinute?: number) =>
  new RateLimiter({ requestsPerMinute, tokensPerMinute }, 0);

describe("a key's rate limit", () => {
  test("allows that many requests, and replenishes evenly", () => {
    const rate = limiter(2);
    expect([rate.takeRequest(0), rate.takeRequest(0)]).toEqual([undefined, undefined]);
    expect(rate.takeRequest(0)).toEqual({ what: "requests", limit: 2, waitMs: 30_000 });
    expect(rate.takeRequest(29_000)?.waitMs).toBeCloseTo(1_000);
    expect(rate.takeRequest(30_000)).toBeUndefined();
    expect(rate.takeRequest(30_000)).toBeDefined();
  });

  test("does not accumulate beyond a minute", () => {
    const rate = limiter(2);
    expect(rate.takeRequest(3_600_000)).toBeUndefined();
    expect(rate.takeRequest(3_600_000)).toBeUndefined();
    expect(rate.takeRequest(3_600_000)).toBeDefined();
  });

  test("reserves tokens, and keeps only those that were used", () => {
    const rate = limiter(undefined, 100);
    const now = performance.now();
    const booking = rate.bookTokens(80, now);
    if (!("settle" in booking)) return expect.unreachable();
    expect(rate.bookTokens(30, now)).toMatchObject({ what: "tokens", limit: 100 });
    booking.settle(10);
    booking.settle(10_000);
    expect(Number(rate.headers(performance.now())["x-ratelimit-remaining-tokens"])).toBeGreaterThanOrEqual(
      89,
    );
  });

  test("when full, admits a request larger than the limit, and goes into debt", () => {
    const rate = limiter(undefined, 100);
    expect(rate.bookTokens(300, 0)).toHaveProperty("settle");
    expect(rate.takeRequest(60_000)).toMatchObject({ what: "tokens" });
    expect(rate.takeRequest(125_000)).toBeUndefined();
  });

  test("without limits admits everything and adds no headers", () => {
    const rate = limiter();
    expect(rate.takeRequest(0)).toBeUndefined();
    expect(rate.bookTokens(1e9, 0)).toHaveProperty("settle");
    expect(rate.headers(0)).toEqual({});
  });
});

test("durations are formatted like OpenAI's", () => {
  expect([0, 19.2, 1_000, 1_450, 360_000].map(duration)).toEqual(["0ms", "20ms", "1s", "1.5s", "6m0s"]);
});
