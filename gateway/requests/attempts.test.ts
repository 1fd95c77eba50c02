import { describe, expect, test } from "vitest";
import type { EngineMember } from "../models/members/engine-member.ts";
import { Attempts } from "./attempts.ts";

const worker = () => ({}) as EngineMember;

describe("Attempts", () => {
  test("go to another engine at once, and then only after growing pauses", () => {
    const attempts = new Attempts(3);
    const pauses = [0, 1, 2].map(() => {
      attempts.begin();
      attempts.failOn(worker(), "answered");
      return attempts.pauseMs(true);
    });
    expect(pauses[0]).toBe(0);
    expect(pauses[1]).toBeGreaterThanOrEqual(50);
    expect(pauses[1]).toBeLessThanOrEqual(150);
    expect(pauses[2]).toBeGreaterThanOrEqual(100);
    expect(pauses[2]).toBeLessThanOrEqual(300);
    expect(attempts.excluded).toHaveLength(3);
  });

  test("with a single engine are as many, with one pause before each", () => {
    const attempts = new Attempts(3);
    const only = worker();
    let made = 0;
    let pauses = 0;
    for (;;) {
      attempts.begin();
      made++;
      if (!attempts.mayGoOn) break;
      attempts.failOn(only, "answered");
      if (attempts.pauseMs(true) > 0) pauses++;
      expect(attempts.excluded).toEqual([only]);
      // Nobody else is there.
      expect(attempts.forgive()).toBe(true);
      expect(attempts.excluded).toEqual([]);
      if (attempts.pauseMs(false) > 0) pauses++;
    }
    expect({ made, pauses }).toEqual({ made: 4, pauses: 3 });
  });

  test("are not made again where none has failed, or all have been made", () => {
    const attempts = new Attempts(0);
    expect(attempts.forgive()).toBe(false);
    attempts.begin();
    attempts.failOn(worker(), "answered");
    expect(attempts.forgive()).toBe(false);
  });

  test("begin anew when the answer moves, and leave out who cannot go on with it", () => {
    const attempts = new Attempts(1);
    const [failed, unable] = [worker(), worker()];
    attempts.begin();
    attempts.begin();
    attempts.failOn(failed, "answered");
    expect(attempts.mayGoOn).toBe(false);
    attempts.move([unable]);
    expect(attempts.mayGoOn).toBe(true);
    expect(attempts.excluded).toEqual([failed, unable]);
  });

  test("are made with every engine where none was reached, and as often again as any", () => {
    const attempts = new Attempts(1);
    for (let index = 0; index < 9; index++) {
      attempts.begin();
      attempts.failOn(worker(), "unsent");
      expect(attempts.mayGoOn).toBe(true);
    }
    expect(attempts.forgive()).toBe(true);
    attempts.begin();
    attempts.failOn(worker(), "unsent");
    expect(attempts.forgive()).toBe(false);
  });

  test("are not made with a third engine where two have gone away over the request, moved or not", () => {
    const attempts = new Attempts(9);
    attempts.begin();
    attempts.failOn(worker(), "lost");
    expect(attempts.mayGoOn).toBe(true);
    attempts.move([]);
    attempts.begin();
    attempts.failOn(worker(), "lost");
    expect(attempts.mayGoOn).toBe(false);
    attempts.move([]);
    expect(attempts.mayGoOn).toBe(false);
  });
});
