import { describe, expect, test } from "vitest";
import type { EngineMember } from "../models/members/engine-member.ts";
import { Attempts } from "./attempts.ts";

const worker = () => ({}) as EngineMember;

describe("Attempts", () => {
  test("retry on another engine at once, then after growing pauses", () => {
    const attempts = new Attempts(3);
    const pauses = [0, 1, 2].map(() => {
      attempts.begin();
      attempts.recordFailure(worker(), "answered");
      return attempts.pauseMs(true);
    });
    expect(pauses[0]).toBe(0);
    expect(pauses[1]).toBeGreaterThanOrEqual(50);
    expect(pauses[1]).toBeLessThanOrEqual(150);
    expect(pauses[2]).toBeGreaterThanOrEqual(100);
    expect(pauses[2]).toBeLessThanOrEqual(300);
    expect(attempts.excluded).toHaveLength(3);
  });

  test("retry on the only engine as often, with one pause before each", () => {
    const attempts = new Attempts(3);
    const only = worker();
    let made = 0;
    let pauses = 0;
    for (;;) {
      attempts.begin();
      made++;
      if (!attempts.mayRetry) break;
      attempts.recordFailure(only, "answered");
      if (attempts.pauseMs(true) > 0) pauses++;
      expect(attempts.excluded).toEqual([only]);
      // There is no other engine.
      expect(attempts.clearFailed()).toBe(true);
      expect(attempts.excluded).toEqual([]);
      if (attempts.pauseMs(false) > 0) pauses++;
    }
    expect({ made, pauses }).toEqual({ made: 4, pauses: 3 });
  });

  test("are not repeated if none failed, or no retries are left", () => {
    const attempts = new Attempts(0);
    expect(attempts.clearFailed()).toBe(false);
    attempts.begin();
    attempts.recordFailure(worker(), "answered");
    expect(attempts.clearFailed()).toBe(false);
  });

  test("start over when the answer moves, and exclude members that cannot continue it", () => {
    const attempts = new Attempts(1);
    const [failed, unable] = [worker(), worker()];
    attempts.begin();
    attempts.begin();
    attempts.recordFailure(failed, "answered");
    expect(attempts.mayRetry).toBe(false);
    attempts.move([unable]);
    expect(attempts.mayRetry).toBe(true);
    expect(attempts.excluded).toEqual([failed, unable]);
  });

  test("try every engine while none is reached, and count each such round as one attempt", () => {
    const attempts = new Attempts(1);
    for (let index = 0; index < 9; index++) {
      attempts.begin();
      attempts.recordFailure(worker(), "unsent");
      expect(attempts.mayRetry).toBe(true);
    }
    expect(attempts.clearFailed()).toBe(true);
    attempts.begin();
    attempts.recordFailure(worker(), "unsent");
    expect(attempts.clearFailed()).toBe(false);
  });

  test("stop once two engines were lost during the request, moved or not", () => {
    const attempts = new Attempts(9);
    attempts.begin();
    attempts.recordFailure(worker(), "lost");
    expect(attempts.mayRetry).toBe(true);
    attempts.move([]);
    attempts.begin();
    attempts.recordFailure(worker(), "lost");
    expect(attempts.mayRetry).toBe(false);
    attempts.move([]);
    expect(attempts.mayRetry).toBe(false);
  });
});
