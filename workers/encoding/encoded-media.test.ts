import { expect, test, vi } from "vitest";
import type { MediumToEncode } from "#runtime";
import type { Encoded } from "../engine.ts";
import { EncodedMedia, type MediumOutcome } from "./encoded-media.ts";

const never = new AbortController().signal;
const medium = (id: string, data = 4): MediumToEncode => ({
  ...{ id, kind: "image", type: "image/png" },
  data: new Uint8Array(data),
});

/** @param answer what the engine makes of each medium */
function store(
  answer: (medium: MediumToEncode, signal: AbortSignal) => Encoded | Promise<Encoded>,
  capacity = 100,
) {
  const outcomes: MediumOutcome[] = [];
  const released: number[] = [];
  const encode = vi.fn((media: readonly MediumToEncode[], signal: AbortSignal) =>
    Promise.all(media.map((each) => answer(each, signal))),
  );
  const media = new EncodedMedia({
    ...{ capacity, encode },
    async hold({ length }, tokens) {
      const nothing = new Uint8Array(0);
      const source = { format: "test", tokens, bytes: length, agent: nothing, memory: nothing };
      return { source, release: () => void released.push(length) };
    },
    onMedium: (outcome) => void outcomes.push(outcome),
  });
  return { media, encode, outcomes, released };
}

const features = (bytes: number): Encoded => ({
  ...{ kind: "features", features: new Uint8Array(bytes), tokens: 3 },
});

test("encodes each medium once, also for requests that come meanwhile", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { media, encode, outcomes } = store(() => promise.then(() => features(10)));
  const both = [media.of([medium("a"), medium("b")], never), media.of([medium("b"), medium("a")], never)];
  resolve();
  for (const results of await Promise.all(both))
    expect(results).toMatchObject([{ kind: "features" }, { kind: "features" }]);
  await media.of([medium("a", 0)], never);
  expect(encode).toHaveBeenCalledTimes(1);
  expect(outcomes).toEqual(["encoded", "encoded", "cached"]);
  expect([media.count, media.bytes]).toEqual([2, 20]);
});

test("says of what it no longer holds that its data are needed", async () => {
  const { media, encode, outcomes } = store(() => features(10));
  expect(await media.of([medium("a", 0), medium("b")], never)).toMatchObject([
    { kind: "missing" },
    { kind: "features" },
  ]);
  expect(encode).toHaveBeenCalledTimes(1);
  expect(outcomes).toEqual(["missing", "encoded"]);
});

test("frees what was used least recently when there is no room, but never the newest", async () => {
  const { media, released } = store(({ data }) => features(data.length), 50);
  await media.of([medium("a", 21)], never);
  await media.of([medium("b", 22)], never);
  await media.of([medium("a", 0)], never);
  await media.of([medium("c", 23)], never);
  expect(released).toEqual([22]);
  await media.of([medium("d", 80)], never);
  expect(released).toEqual([22, 21, 23]);
  expect([media.count, media.bytes]).toEqual([1, 80]);
  media.clear();
  expect([media.count, media.bytes]).toEqual([0, 0]);
  expect(released.at(-1)).toBe(80);
});

test("keeps text, and no refusals", async () => {
  const { media, encode } = store(({ id }) =>
    id === "text" ? { kind: "text", text: "Stop." } : { kind: "refused", message: "It is damaged." },
  );
  for (let time = 0; time < 2; time++)
    expect(await media.of([medium("text"), medium("bad")], never)).toEqual([
      { kind: "text", text: "Stop." },
      { kind: "refused", message: "It is damaged." },
    ]);
  expect(encode).toHaveBeenCalledTimes(2);
});

test("goes on for those that wait when others leave, and stops when nobody waits", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  let signal = never;
  const { media } = store((_, given) => {
    signal = given;
    return promise.then(() => features(1));
  });
  const [first, second] = [new AbortController(), new AbortController()];
  const [left, stays] = [media.of([medium("a")], first.signal), media.of([medium("a")], second.signal)];
  first.abort(new Error("It left."));
  await expect(left).rejects.toThrow("It left.");
  expect(signal.aborted).toBe(false);
  second.abort(new Error("It left too."));
  await expect(stays).rejects.toThrow("It left too.");
  expect(signal.aborted).toBe(true);
  resolve();
});

test("fails with the engine, and tries again with the next request", async () => {
  let fails = true;
  const { media } = store(() => {
    if (fails) throw new Error("out of memory");
    return features(1);
  });
  await expect(media.of([medium("a")], never)).rejects.toThrow("out of memory");
  fails = false;
  expect(await media.of([medium("a")], never)).toMatchObject([{ kind: "features" }]);
});
