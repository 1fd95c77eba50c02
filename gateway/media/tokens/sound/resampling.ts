import type { AudioInfo } from "../../inspect/index.ts";

/**
 * How many samples a sound has at another rate, as torchaudio's resampler makes them, which vLLM uses: it computes the
 * length in 32-bit floats.
 * @param rate in Hz
 * @returns undefined if the headers do not count the samples
 */
export function samplesAt({ samples, sampleRate }: AudioInfo, rate: number): number | undefined {
  if (samples === undefined || sampleRate === undefined || !(sampleRate > 0)) return undefined;
  if (samples === 0 || sampleRate === rate) return samples;
  const divisor = greatestCommonDivisor(sampleRate, rate);
  return Math.ceil(Math.fround((samples * (rate / divisor)) / (sampleRate / divisor)));
}

function greatestCommonDivisor(one: number, other: number): number {
  return other === 0 ? one : greatestCommonDivisor(other, one % other);
}
