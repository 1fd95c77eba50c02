import { expect, test } from "vitest";
import { Admission } from "./admission.ts";

const never = new AbortController().signal;

test("lets so many in, and the others in their order as places are given back", async () => {
  const admission = new Admission(2);
  const entered: number[] = [];
  const enter = (id: number) =>
    admission.enter(never).then((leave) => {
      entered.push(id);
      return leave!;
    });
  const [first, , third] = [enter(1), enter(2), enter(3), enter(4)];
  const leave = await first;
  expect([admission.running, admission.waiting, entered]).toEqual([2, 2, [1, 2]]);
  leave();
  (await third!)();
  expect([admission.running, admission.waiting]).toEqual([2, 0]);
});

test("a request that is cancelled leaves the queue", async () => {
  const admission = new Admission(1);
  const leave = await admission.enter(never);
  const cancelled = new AbortController();
  const waiting = admission.enter(cancelled.signal);
  const next = admission.enter(never);
  cancelled.abort();
  expect(await waiting).toBeUndefined();
  leave!();
  (await next)!();
  expect([admission.running, admission.waiting]).toEqual([0, 0]);
  expect(await admission.enter(cancelled.signal)).toBeUndefined();
});
