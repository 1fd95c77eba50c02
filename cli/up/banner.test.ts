import { expect, test } from "vitest";
import { countsOf } from "./banner.ts";
import { plannedWorkers } from "./planned-workers.ts";

test.each([
  [1, 0, undefined, "1 worker"],
  [2, 1, undefined, "2 workers and 1 encode worker"],
  [2, 2, "models", "2 workers, 2 encode workers and 1 OCR worker"],
])("%i workers with %i that encode are counted apart", (workers, encoders, ocr, text) => {
  const roles = { "prefill-workers": 0, "decode-workers": 0, "encode-workers": encoders };
  expect(countsOf(plannedWorkers("llama", { workers, ...roles, ocr }))).toBe(text);
});
