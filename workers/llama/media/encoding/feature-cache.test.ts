import { expect, test, vi } from "vitest";
import { FeatureCache } from "./feature-cache.ts";

const never = new AbortController().signal;
const bytes = (length: number) => async () => new Uint8Array(length);

test("encodes a medium once for all who ask at once or later", async () => {
  const cache = new FeatureCache(100);
  const encode = vi.fn(bytes(10));
  const both = await Promise.all([cache.of("a", encode, never), cache.of("a", encode, never)]);
  expect(both[0]).toBe(both[1]);
  await cache.of("a", encode, never);
  expect(encode).toHaveBeenCalledTimes(1);
});

test("gives up the least recently used medium when there is no room", async () => {
  const cache = new FeatureCache(25);
  for (const id of ["a", "b", "a", "c"]) await cache.of(id, bytes(10), never);
  const again = vi.fn(bytes(10));
  await cache.of("a", again, never);
  expect(again).not.toHaveBeenCalled();
  await cache.of("b", again, never);
  expect(again).toHaveBeenCalledTimes(1);
});

test("keeps nothing that is larger than all its room", async () => {
  const cache = new FeatureCache(5);
  const encode = vi.fn(bytes(10));
  for (const _ of [1, 2]) expect((await cache.of("a", encode, never)).length).toBe(10);
  expect(encode).toHaveBeenCalledTimes(2);
});

test("tries again after a failure, and after all who waited have left", async () => {
  const cache = new FeatureCache(100);
  const fail = () => Promise.reject(new Error("no"));
  await expect(cache.of("a", fail, never)).rejects.toThrow("no");
  const leaving = new AbortController();
  let cancelled: AbortSignal | undefined;
  const hang = (signal: AbortSignal) => {
    cancelled = signal;
    return new Promise<Uint8Array>(() => {});
  };
  const waiting = cache.of("a", hang, leaving.signal);
  leaving.abort("left");
  await expect(waiting).rejects.toBe("left");
  expect(cancelled?.aborted).toBe(true);
  expect((await cache.of("a", bytes(3), never)).length).toBe(3);
});
