import { expect, test } from "vitest";
import { untilAborted } from "./until-aborted.ts";

test("settles like the promise", async () => {
  const { signal } = new AbortController();
  expect(await untilAborted(Promise.resolve(1), signal)).toBe(1);
  await expect(untilAborted(Promise.reject(new Error("no")), signal)).rejects.toThrow("no");
});

test("rejects with the reason of a signal that is aborted before or meanwhile", async () => {
  const never = new Promise<number>(() => {});
  await expect(untilAborted(never, AbortSignal.abort("before"))).rejects.toBe("before");
  const controller = new AbortController();
  const waiting = untilAborted(never, controller.signal);
  controller.abort("meanwhile");
  await expect(waiting).rejects.toBe("meanwhile");
});
