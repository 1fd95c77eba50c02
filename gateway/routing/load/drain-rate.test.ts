import { expect, it } from "vitest";
import { DrainRate } from "./drain-rate.ts";

it("returns a guess before any request has ended", () => {
  expect(new DrainRate().secondsFor(1, 0)).toBe(2);
});

it("follows the rate at which requests end, from 1 to 60 seconds", () => {
  const rate = new DrainRate();
  for (let now = 0; now <= 30_000; now += 200) rate.count(now);
  expect(rate.secondsFor(1, 30_000)).toBe(1);
  expect(rate.secondsFor(50, 30_000)).toBeGreaterThanOrEqual(9);
  expect(rate.secondsFor(50, 30_000)).toBeLessThanOrEqual(11);
  expect(rate.secondsFor(1, 60_000)).toBeGreaterThan(3);
  expect(rate.secondsFor(10_000, 30_000)).toBe(60);
});

it("measures a fast drain within the first second", () => {
  const rate = new DrainRate();
  for (let now = 0; now < 1000; now += 10) rate.count(now);
  expect(rate.secondsFor(100, 1000)).toBeLessThanOrEqual(2);
});
