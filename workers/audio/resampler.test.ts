import { expect, test } from "vitest";
import { Resampler } from "./resampler.ts";

const tone = (hertz: number, rate: number, seconds: number) =>
  Float32Array.from({ length: Math.round(rate * seconds) }, (_, at) =>
    Math.sin((2 * Math.PI * hertz * at) / rate),
  );

function resampled(samples: Float32Array, rate: number, piece = samples.length): Float32Array {
  const resampler = new Resampler(rate, 16_000);
  const pieces: Float32Array[] = [];
  for (let at = 0; at < samples.length; at += piece)
    pieces.push(resampler.push(samples.subarray(at, at + piece)));
  pieces.push(resampler.flush());
  return Float32Array.from(pieces.flatMap((each) => [...each]));
}

/** The largest value away from the edges, where the sound begins and ends at once. */
const peak = (samples: Float32Array) =>
  samples.subarray(500, -500).reduce((most, value) => Math.max(most, Math.abs(value)), 0);

test.each([8_000, 11_025, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000, 44_099])(
  "a tone at %i Hz stays as it is",
  (rate) => {
    const output = resampled(tone(1_000, rate, 0.5), rate);
    expect(Math.abs(output.length - 8_000)).toBeLessThanOrEqual(1);
    const wanted = tone(1_000, 16_000, 0.5);
    const wrong = output.map((value, at) => value - (wanted[at] ?? 0));
    expect(peak(wrong)).toBeLessThan(1e-3);
  },
);

test.each([22_050, 44_100, 48_000, 96_000])("at %i Hz, what 16 kHz cannot hold is left out", (rate) => {
  expect(peak(resampled(tone(9_500, rate, 0.5), rate))).toBeLessThan(1e-4);
});

test("pieces of any size give the same output", () => {
  const input = tone(700, 44_100, 0.2);
  const whole = resampled(input, 44_100);
  for (const piece of [1, 7, 1000, 8191]) expect(resampled(input, 44_100, piece)).toEqual(whole);
});

test("a sound shorter than the filter is not lost", () => {
  expect(resampled(tone(1_000, 48_000, 0.001), 48_000)).toHaveLength(16);
  expect(resampled(new Float32Array(0), 48_000)).toHaveLength(0);
});
