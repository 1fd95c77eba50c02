import { expect, test } from "vitest";
import { PlaneError, type PlaneErrorCode } from "#runtime";
import { callError, timeLeft } from "./call-error.ts";

const bounds = { model: "m", timeoutMs: 2000, deadlineAt: undefined };

test.each<[PlaneErrorCode, number, string]>([
  ["deadline_exceeded", 504, "request_timeout"],
  ["invalid_request", 400, "invalid_value"],
  ["overloaded", 503, "no_worker_ready"],
  ["draining", 503, "no_worker_ready"],
  ["connection_lost", 502, "worker_failed"],
  ["internal", 502, "worker_failed"],
])("%s is a %i", (code, status, apiCode) => {
  const error = callError(new PlaneError(code, "Why."), bounds);
  expect(error).toMatchObject({ status, code: apiCode });
});

test("does not promise another worker for a request that is bound to one", () => {
  const lost = new PlaneError("connection_lost", "Why.");
  const one = { one: true, text: "the worker 'a', which it names" };
  expect(callError(lost, bounds).message).toContain("it will go to another worker");
  expect(callError(lost, bounds, one).message).toContain("it can only go to the worker 'a', which it names");
  expect(callError(lost, bounds, one).headers["retry-after"]).toBe("1");
  const draining = callError(new PlaneError("draining", "Why."), bounds, one);
  expect(draining.message).toContain("can only go to the worker 'a'");
});

test("distinguishes the request's own deadline from the server's timeout", () => {
  const error = new PlaneError("deadline_exceeded", "Too late.");
  const passed = { ...bounds, deadlineAt: performance.now() - 1 };
  expect(callError(error, passed).code).toBe("deadline_exceeded");
  expect(callError(error, { ...bounds, deadlineAt: performance.now() + 60_000 }).code).toBe(
    "request_timeout",
  );
  expect(timeLeft(passed)).toBe(1);
  expect(timeLeft(bounds)).toBe(2000);
  expect(timeLeft({ ...bounds, deadlineAt: performance.now() + 500 })).toBeLessThanOrEqual(500);
});
