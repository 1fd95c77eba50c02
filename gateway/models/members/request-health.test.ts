import { beforeEach, describe, expect, test } from "vitest";
import { RequestHealth } from "./request-health.ts";

let health: RequestHealth;

beforeEach(() => {
  health = new RequestHealth({ consecutiveFailures: 5, firstPauseMs: 1_000, longestPauseMs: 5_000 });
});

const fail = (times: number) => Array.from({ length: times }, () => health.onFailure());

describe("an engine judged by its requests", () => {
  test("is set aside after consecutive failures, which a success resets", () => {
    expect(fail(4)).toEqual([false, false, false, false]);
    health.onSuccess();
    expect(fail(5)).toEqual([false, false, false, false, true]);
  });

  test("is set aside when many of its requests fail, even if not consecutively", () => {
    const verdicts: boolean[] = [];
    for (let round = 0; round < 12; round++) {
      health.onSuccess();
      verdicts.push(health.onFailure());
    }
    expect(verdicts.slice(0, 9)).not.toContain(true);
    expect(verdicts.at(-1)).toBe(true);
  });

  test("is kept if few fail", () => {
    for (let round = 0; round < 100; round++) {
      for (let good = 0; good < 3; good++) health.onSuccess();
      expect(health.onFailure()).toBe(false);
    }
  });

  test("is set aside for longer each time it soon fails again", () => {
    expect(health.trip()).toBe(1_000);
    expect(fail(1)).toEqual([true]);
    expect([health.trip(), health.trip(), health.trip()]).toEqual([2_000, 4_000, 5_000]);
  });

  test("is fully trusted again once it has answered some", () => {
    health.trip();
    for (let good = 0; good < 5; good++) health.onSuccess();
    expect(fail(1)).toEqual([false]);
    expect(health.trip()).toBe(1_000);
  });
});
