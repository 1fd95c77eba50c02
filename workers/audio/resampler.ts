/** Zero crossings of the filter on each side, and the shape of its window: together about 90 dB of attenuation. */
const ZERO_CROSSINGS = 24;
const KAISER_BETA = 8.6;
/** The share of the band that passes; the rest is where the filter falls off. */
const PASSBAND = 0.93;
/** Most phases in the filter's table; between two of them lies less than 16 bits can tell. */
const MOST_PHASES = 4_096;

/**
 * Changes the sample rate of a sound, piece by piece: a low-pass filter (a sinc in a Kaiser window) evaluated at each output
 * sample's time, so that nothing above half the lower rate is folded back.
 * Source: J. O. Smith, "Digital Audio Resampling", https://ccrma.stanford.edu/~jos/resample/.
 */
export class Resampler {
  /** Input samples for an output sample. */
  readonly #step: number;
  /** Input samples on each side that count. */
  readonly #half: number;
  readonly #phases: number;
  /** For each phase, `2 * half` coefficients. */
  readonly #table: Float32Array;
  /** Input that is still needed, of which the first sample is at time `#start`. */
  #input: Float32Array;
  #start: number;
  #received = 0;
  #produced = 0;

  /** @param from input samples per second @param to output samples per second */
  constructor(from: number, to: number) {
    this.#step = from / to;
    this.#half = Math.ceil(ZERO_CROSSINGS * Math.max(1, this.#step));
    this.#phases = Math.min(to / greatestDivisor(from, to), MOST_PHASES);
    this.#table = filterTable(this.#phases, this.#half, Math.min(1, 1 / this.#step) * PASSBAND);
    // Silence before the first sample.
    this.#input = new Float32Array(this.#half);
    this.#start = -this.#half;
  }

  /** The output for which there is enough input now. */
  push(samples: Float32Array): Float32Array {
    this.#append(samples);
    this.#received += samples.length;
    return this.#produce(Math.floor((this.#received - this.#half) / this.#step));
  }

  /** The rest of the output, as if silence followed. */
  flush(): Float32Array {
    this.#append(new Float32Array(this.#half + 1));
    return this.#produce(Math.ceil(this.#received / this.#step));
  }

  #append(samples: Float32Array): void {
    const needed = Math.max(0, Math.floor(this.#produced * this.#step) - this.#half + 1 - this.#start);
    const kept = this.#input.subarray(Math.min(needed, this.#input.length));
    const joined = new Float32Array(kept.length + samples.length);
    joined.set(kept);
    joined.set(samples, kept.length);
    this.#start += this.#input.length - kept.length;
    this.#input = joined;
  }

  /** @param until number of output samples in all */
  #produce(until: number): Float32Array {
    const output = new Float32Array(Math.max(0, until - this.#produced));
    const width = 2 * this.#half;
    for (let index = 0; index < output.length; index++) {
      const time = this.#produced * this.#step;
      let whole = Math.floor(time);
      let phase = Math.round((time - whole) * this.#phases);
      if (phase === this.#phases) {
        phase = 0;
        whole++;
      }
      const first = whole - this.#half + 1 - this.#start;
      let sum = 0;
      for (let tap = 0; tap < width; tap++)
        sum += this.#table[phase * width + tap]! * (this.#input[first + tap] ?? 0);
      output[index] = sum;
      this.#produced++;
    }
    return output;
  }
}

/** @param cutoff as a share of half the input's rate */
function filterTable(phases: number, half: number, cutoff: number): Float32Array {
  const width = 2 * half;
  const table = new Float32Array(phases * width);
  for (let phase = 0; phase < phases; phase++) {
    let sum = 0;
    const row = Array.from({ length: width }, (_, tap) => {
      const distance = tap - half + 1 - phase / phases;
      const value = sinc(cutoff * distance) * kaiser(distance / half);
      sum += value;
      return value;
    });
    // Each phase passes a constant as it is.
    for (const [tap, value] of row.entries()) table[phase * width + tap] = value / sum;
  }
  return table;
}

const sinc = (x: number) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));

/** @param x from -1 to 1 across the window */
const kaiser = (x: number) =>
  Math.abs(x) >= 1 ? 0 : bessel(KAISER_BETA * Math.sqrt(1 - x * x)) / bessel(KAISER_BETA);

/** The modified Bessel function of the first kind and order 0, by its series. */
function bessel(x: number): number {
  let [term, sum] = [1, 1];
  for (let k = 1; term > sum * 1e-12; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b);
}
