import { expect, test } from "vitest";
import { SPEECH_RATE } from "../audio/samples.ts";
import { cutWindows, FRAME, type Window } from "./windows.ts";

const SECONDS = FRAME / SPEECH_RATE;

/** The windows of speech (`s`) and pauses (`p`) of so many seconds: `s2 p1 s3`. */
async function cut(script: string, batch = 64): Promise<Window[]> {
  const probabilities = script.split(" ").flatMap((part) => {
    const [kind, seconds] = [part[0], Number(part.slice(1))];
    return Array<number>(Math.round(seconds / SECONDS)).fill(kind === "s" ? 0.9 : 0.05);
  });
  return collect(probabilities, batch);
}

async function collect(probabilities: readonly number[], batch = 64): Promise<Window[]> {
  async function* batches(): AsyncGenerator<Float32Array> {
    for (let at = 0; at < probabilities.length; at += batch)
      yield Float32Array.from(probabilities.slice(at, at + batch));
  }
  const windows: Window[] = [];
  for await (const window of cutWindows(batches())) windows.push(window);
  return windows;
}

const times = (windows: readonly Window[]) =>
  windows.map(({ start, end }) => [start, end].map((at) => Math.round((at / SPEECH_RATE) * 10) / 10));

test.each([
  ["silence has none", "p5", []],
  ["a click is not speech", "p1 s0.1 p1", []],
  ["a window has some of the pauses around it", "p1 s2 p2", [[0.8, 3.2]]],
  [
    "a long pause ends one",
    "s2 p1.5 s2",
    [
      [0, 2.2],
      [3.3, 5.5],
    ],
  ],
  ["a short pause does not end a short one", "s2 p0.5 s2", [[0, 4.5]]],
  [
    "a short pause ends a long one",
    "s8 p0.7 s2",
    [
      [0, 8.2],
      [8.5, 10.7],
    ],
  ],
  [
    "no sound is in two windows",
    "s13 p0.3 s13",
    [
      [0, 13.2],
      [13.2, 26.3],
    ],
  ],
])("%s", async (_what, script, wanted) => {
  expect(times(await cut(script))).toEqual(wanted);
});

test("speech without pauses is cut after 20 seconds at most, where it is quietest", async () => {
  const probabilities = Array<number>(Math.round(50 / SECONDS)).fill(0.9);
  const quiet = Math.round(18 / SECONDS);
  probabilities[quiet] = 0.4;
  const windows = await collect(probabilities);
  expect(windows[0]?.end).toBe(quiet * FRAME);
  expect(windows[1]?.start).toBe(windows[0]?.end);
  for (const { start, end } of windows) expect((end - start) / SPEECH_RATE).toBeLessThanOrEqual(20.3);
  expect(windows.at(-1)?.end).toBe(probabilities.length * FRAME);
});

test("windows do not depend on how the probabilities arrive", async () => {
  const script = "p1 s2 p0.4 s5 p1.2 s25 p0.3 s1 p2";
  const whole = await cut(script, 10_000);
  for (const batch of [1, 7, 64]) expect(await cut(script, batch)).toEqual(whole);
});

test("a window is told as soon as its pause is long enough", async () => {
  let given = 0;
  async function* batches(): AsyncGenerator<Float32Array> {
    for (const probability of [...Array(60).fill(0.9), ...Array(400).fill(0.01)]) {
      given++;
      yield Float32Array.of(probability);
    }
  }
  await cutWindows(batches()).next();
  expect(given * SECONDS).toBeLessThan(60 * SECONDS + 1.1);
});

test("a window tells how likely it is speech", async () => {
  const [window] = await cut("s2 p2");
  expect(window?.speech).toBeCloseTo(0.9, 2);
});
