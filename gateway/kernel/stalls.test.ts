import { beforeEach, describe, expect, test, vi } from "vitest";
import { Stalls } from "./stalls.ts";

let now = 0;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  const clock = vi.spyOn(performance, "now").mockImplementation(() => now);
  return () => {
    clock.mockRestore();
    vi.useRealTimers();
  };
});

/** The process runs, so that its timers fire on time. */
function run(ms: number): void {
  for (let passed = 0; passed < ms; passed += 50) {
    now += 50;
    vi.advanceTimersByTime(50);
  }
}

/** Time passes, but no timer fires. */
function stall(ms: number): void {
  now += ms;
}

describe("stalls of this process", () => {
  test("are none while it runs", () => {
    const stalls = new Stalls();
    run(60_000);
    expect(stalls.ms).toBe(0);
  });

  test("count at once, before the next tick", () => {
    const stalls = new Stalls();
    stall(2_000);
    expect(stalls.ms).toBe(2_000);
    expect(stalls.ms).toBe(2_000);
  });

  test("count once the process runs again, up to a tick too long", () => {
    const stalls = new Stalls();
    run(350);
    stall(2_000);
    run(10_000);
    expect(stalls.ms).toBeGreaterThanOrEqual(2_000);
    expect(stalls.ms).toBeLessThanOrEqual(2_250);
  });

  test("do not count if they are so short that a busy machine has them too", () => {
    const stalls = new Stalls();
    for (let count = 0; count < 100; count++) {
      stall(250);
      run(500);
    }
    expect(stalls.ms).toBe(0);
  });

  test("add up without a window", () => {
    const stalls = new Stalls();
    for (let count = 0; count < 3; count++) {
      stall(1_000);
      expect(stalls.ms).toBe(1_000 * (count + 1));
      run(600_000);
    }
    expect(stalls.longestMs).toBe(1_000);
  });

  test("count until their window has passed", () => {
    const stalls = new Stalls(5_000);
    stall(2_000);
    expect(stalls.ms).toBe(2_000);
    run(4_950);
    expect(stalls.ms).toBe(2_000);
    run(50);
    expect(stalls.ms).toBe(0);
  });

  test("are not measured any more after `close`", () => {
    new Stalls().close();
    expect(vi.getTimerCount()).toBe(0);
  });
});
