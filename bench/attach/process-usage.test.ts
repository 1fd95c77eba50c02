import { expect, it } from "vitest";
import { familyOf, parseStat, usageOf } from "./process-usage.ts";

it("parses a process name with spaces and parentheses", () => {
  const line = "42 (a) b (c) S 7 42 42 0 -1 4194560 100 0 0 0 11 22 33 44 20 0 5 0 100 1000 200";
  expect(parseStat(line)).toEqual({ pid: 42, parent: 7, ticks: 110 });
});

it("finds grandchildren", () => {
  const stat = (pid: number, parent: number) => ({ pid, parent, ticks: 1 });
  const stats = [stat(1, 0), stat(2, 1), stat(4, 3), stat(3, 2), stat(5, 1)];
  expect(familyOf(2, stats).map(({ pid }) => pid)).toEqual([2, 3, 4]);
});

const microseconds = ({ user, system }: NodeJS.CpuUsage) => user + system;

it("measures this process's CPU time and memory", () => {
  const before = usageOf(process.pid);
  const start = process.cpuUsage();
  while (microseconds(process.cpuUsage(start)) < 100_000);
  expect(usageOf(process.pid).cpuSeconds - before.cpuSeconds).toBeGreaterThanOrEqual(0.07);
  expect(before.residentBytes).toBeGreaterThan(1e6);
});
