import { describe, expect, test } from "vitest";
import { plannedWorkers } from "./planned-workers.ts";

const NONE = { workers: 1, "prefill-workers": 0, "decode-workers": 0, "encode-workers": 0 };

const plan = (workers?: number, prefill = 0, decode = 0, encode = 0, ocr?: string) =>
  plannedWorkers("llama", {
    workers,
    "prefill-workers": prefill,
    "decode-workers": decode,
    "encode-workers": encode,
    ocr,
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
    expect(plan(1, 0, 0, 0, "models")).toEqual(["llama-0 aggregated", "ocr-0 encode"]);
    expect(() => plan(0, 0, 0, 1)).toThrow("Without workers nobody answers");
  });

  test("cannot all read pictures", () => {
    expect(() => plannedWorkers("ocr", { ...NONE, ocr: undefined })).toThrow("--ocr FOLDER");
  });

  test.each([
    [0, 0, 0, "Without workers nobody answers"],
    [undefined, 1, 0, "add --decode-workers"],
    [undefined, 0, 1, "without those, use --workers"],
  ])("are refused if they cannot answer: %s, %i, %i", (workers, prefill, decode, message) => {
    expect(() => plan(workers, prefill, decode)).toThrow(message);
  });
});
