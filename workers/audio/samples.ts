import { AudioError } from "./audio-error.ts";
import { Resampler } from "./resampler.ts";

/** Samples per second that speech models take. */
export const SPEECH_RATE = 16_000;

/** Rates that files have: telephones to studios, with room on both sides. */
const LOWEST_RATE = 1_000;
const HIGHEST_RATE = 768_000;

/** Gathers the sound of a file, in any rate and number of channels, as mono samples at `SPEECH_RATE`. */
export class SpeechSamples {
  readonly #most: number;
  #resampler: Resampler | undefined;
  #rate = 0;
  readonly #chunks: Float32Array[] = [];
  #length = 0;

  /** @param mostSeconds longest audio that is taken */
  constructor(mostSeconds: number) {
    this.#most = mostSeconds * SPEECH_RATE;
  }

  /**
   * Adds sound. The channels are averaged.
   * @param rate samples per second; it stays the same throughout a file
   * @throws AudioError if the rate is impossible or changes, or the audio is too long
   */
  add(channels: readonly Float32Array[], rate: number): void {
    const [first] = channels;
    if (first === undefined || first.length === 0) return;
    this.#begin(rate);
    this.#keep(this.#resampler?.push(mixed(channels)) ?? mixed(channels));
  }

  /** All samples. Nothing can be added after it. */
  end(): Float32Array {
    if (this.#resampler !== undefined) this.#keep(this.#resampler.flush());
    const all = new Float32Array(this.#length);
    let at = 0;
    for (const chunk of this.#chunks) {
      all.set(chunk, at);
      at += chunk.length;
    }
    return all;
  }

  #begin(rate: number): void {
    if (rate === this.#rate) return;
    if (this.#rate !== 0)
      throw new AudioError(
        `The audio's sample rate changes from ${this.#rate} to ${rate} Hz; it must stay the same.`,
      );
    if (!(rate >= LOWEST_RATE && rate <= HIGHEST_RATE))
      throw new AudioError(
        `The audio's sample rate is ${rate} Hz; it must be between ${LOWEST_RATE} and ${HIGHEST_RATE}.`,
      );
    this.#rate = rate;
    if (rate !== SPEECH_RATE) this.#resampler = new Resampler(rate, SPEECH_RATE);
  }

  #keep(samples: Float32Array): void {
    this.#length += samples.length;
    if (this.#length > this.#most)
      throw new AudioError(
        `The audio is longer than ${this.#most / SPEECH_RATE / 60} minutes; send it in parts.`,
      );
    this.#chunks.push(samples);
  }
}

function mixed(channels: readonly Float32Array[]): Float32Array {
  const mono = Float32Array.from(channels[0]!);
  if (channels.length === 1) return mono;
  for (const channel of channels.slice(1))
    for (let index = 0; index < mono.length; index++) mono[index]! += channel[index] ?? 0;
  for (let index = 0; index < mono.length; index++) mono[index]! /= channels.length;
  return mono;
}
