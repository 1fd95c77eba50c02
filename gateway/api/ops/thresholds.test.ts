import { expect, test } from "vitest";
import { validate } from "../openai/validate.ts";
import { thresholdsRequest } from "./thresholds.ts";

test.each([
  [{ busy_decode: 1 }, "busy_decode", "Unknown parameter: 'busy_decode'; did you mean 'busy_decode_blocks'?"],
  [{ zzz: 1 }, "zzz", "it takes model, busy_decode_blocks, busy_prefill_tokens, queue_threshold"],
  [{ busy_decode_blocks: 1e-300 }, "busy_decode_blocks", "at least 0.01"],
  [{ busy_decode_blocks: 1.5 }, "busy_decode_blocks", "at most 1"],
  [{ busy_prefill_tokens: 1e300 }, "busy_prefill_tokens", "at most 1000000000"],
  [{ busy_prefill_tokens: 1e-300 }, "busy_prefill_tokens", "at least 0.01"],
  [{ busy_prefill_tokens: `${"9".repeat(400)}%` }, "busy_prefill_tokens", "a number or a percentage"],
  [{ busy_prefill_tokens: "0%" }, "busy_prefill_tokens", "a number or a percentage"],
  [{ queue_threshold: 1e300 }, "queue_threshold", "at most 1000000"],
  [{ queue_threshold: 0 }, "queue_threshold", "at least 0.01"],
])("%j is rejected with a clear message", (body, param, message) => {
  expect(() => validate(thresholdsRequest, body)).toThrow(
    expect.objectContaining({ status: 400, param, message: expect.stringContaining(message) }),
  );
});

test("the flags' values are accepted, and null", () => {
  const body = { busy_decode_blocks: 0.01, busy_prefill_tokens: "150.5%", queue_threshold: null };
  expect(validate(thresholdsRequest, body)).toEqual(body);
  expect(validate(thresholdsRequest, { busy_prefill_tokens: 20000 })).toEqual({ busy_prefill_tokens: 20000 });
});
