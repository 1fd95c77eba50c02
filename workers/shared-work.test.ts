import { expect, test } from "vitest";
import { SharedWork } from "./shared-work.ts";

test("gives all who wait the same result", async () => {
  const { promise, resolve } = Promise.withResolvers<number>();
  let over = 0;
  const work = new SharedWork(
    () => promise,
    () => over++,
  );
  const { signal } = new AbortController();
  const waiting = [work.wait(signal), work.wait(signal)];
  resolve(7);
  expect(await Promise.all(waiting)).toEqual([7, 7]);
  expect(over).toBeGreaterThan(0);
});

test("is cancelled when the last one leaves, not before", async () => {
  let cancelled: AbortSignal | undefined;
  let over = 0;
  const work = new SharedWork(
    (signal) => {
      cancelled = signal;
      return new Promise<number>(() => {});
    },
    () => over++,
  );
  const [first, second] = [new AbortController(), new AbortController()];
  const waiting = [work.wait(first.signal), work.wait(second.signal)];
  first.abort("first");
  await expect(waiting[0]).rejects.toBe("first");
  expect([cancelled?.aborted, over]).toEqual([false, 0]);
  second.abort("second");
  await expect(waiting[1]).rejects.toBe("second");
  expect([cancelled?.aborted, over]).toEqual([true, 1]);
});
