import { describe, expect, test } from "vitest";
import { plannedWorkers } from "./planned-workers.ts";

const plan = (workers?: number, prefill = 0, decode = 0, encode = 0) =>
  plannedWorkers("llama", {
    workers,
    "prefill-workers": prefill,
    "decode-workers": decode,
    "encode-workers": encode,
  }).map(({ name, role }) => `${name} ${role}`);

describe("the workers of stator up", () => {
  test("are two, or as many as given", () => {
    expect(plan()).toEqual(["llama-0 aggregated", "llama-1 aggregated"]);
    expect(plan(1)).toEqual(["llama-0 aggregated"]);
  });

  test("have the given roles, and then no others by default", () => {
    expect(plan(undefined, 1, 2)).toEqual([
      ...["llama-prefill-0 prefill", "llama-decode-0 decode", "llama-decode-1 decode"],
    ]);
    expect(plan(1, 1, 0)).toEqual(["llama-0 aggregated", "llama-prefill-0 prefill"]);
  });

  test("can encode media for others, besides those that answer", () => {
    expect(plan(undefined, 0, 0, 1)).toEqual([
      ...["llama-0 aggregated", "llama-1 aggregated", "llama-encode-0 encode"],
    ]);
    expect(() => plan(0, 0, 0, 1)).toThrow("Without workers nobody answers");
  });

  test.each([
    [0, 0, 0, "Without workers nobody answers"],
    [undefined, 1, 0, "add --decode-workers"],
    [undefined, 0, 1, "without those, use --workers"],
  ])("are refused if they cannot answer: %s, %i, %i", (workers, prefill, decode, message) => {
    expect(() => plan(workers, prefill, decode)).toThrow(message);
  });
});
