import { expect, onTestFinished, test, vi } from "vitest";
import { createLogger } from "./log.ts";
import { Warnings } from "./warnings.ts";

test("the first warning of each kind is logged at once, and the others once per second with their count", () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const lines: string[] = [];
  const warnings = new Warnings(
    createLogger({ name: "gateway", write: (line) => lines.push(line), colour: false }),
  );
  const added = () => lines.splice(0).map((line) => line.slice(line.indexOf("refused")).trim());
  for (let request = 1; request <= 1000; request++) warnings.warn("busy", "refused", { request });
  warnings.warn("queue_full", "refused", { request: 0 });
  expect(added()).toEqual(["refused request=1", "refused request=0"]);
  vi.advanceTimersByTime(1000);
  expect(added()).toEqual(["refused request=1000 count=999"]);
  warnings.warn("busy", "refused", { request: 1001 });
  expect(added()).toEqual([]);
  vi.advanceTimersByTime(1000);
  expect(added()).toEqual(["refused request=1001"]);
  vi.advanceTimersByTime(1000);
  expect(vi.getTimerCount()).toBe(0);
  warnings.warn("busy", "refused", { request: 1002 });
  expect(added()).toEqual(["refused request=1002"]);
});
