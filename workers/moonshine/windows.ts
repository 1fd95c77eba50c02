import { SPEECH_RATE } from "../audio/samples.ts";

/** Samples for which the voice detector gives one probability: 32 ms. */
export const FRAME = 512;

/** A stretch of speech that the model hears at once. */
export interface Window {
  /** In samples. */
  readonly start: number;
  readonly end: number;
  /** Mean probability that its frames are speech. */
  readonly speech: number;
}

const frames = (seconds: number) => Math.round((seconds * SPEECH_RATE) / FRAME);

/** Probabilities at which speech begins, and below which it ends; Silero's own. */
const BEGINS = 0.5;
const ENDS = 0.35;
/** The shortest silence that counts, and the shortest speech. */
const SHORTEST_PAUSE = frames(0.1);
const SHORTEST_SPEECH = frames(0.2);
/** What is heard before and after speech, of the pauses there. */
const MARGIN = frames(0.2);
/** A longer window is cut where its last seconds are quietest. */
const LONGEST = frames(20);
const SEARCHED = frames(4);

/**
 * The pause that ends a window: after much speech a short one will do. Between sentences people pause for about a second,
 * between clauses for a quarter; the model hears better with what belongs together.
 * @param length of the window so far @returns in frames
 */
const endingPause = (length: number) =>
  Math.max(frames(0.25), frames(1) - Math.max(0, (length - frames(3)) / 12));

/**
 * Cuts audio into windows at pauses, as soon as each one's end is known.
 * @param batches probabilities that the frames are speech, in order
 */
export async function* cutWindows(batches: AsyncIterable<Float32Array>): AsyncGenerator<Window> {
  const cutter = new Cutter();
  for await (const batch of batches)
    for (const probability of batch) {
      const window = cutter.add(probability);
      if (window !== undefined) yield window;
    }
  const last = cutter.end();
  if (last !== undefined) yield last;
}

class Cutter {
  readonly #probabilities: number[] = [];
  /** The window so far, in frames. */
  #start: number | undefined;
  #end = 0;
  #isSpeaking = false;
  /** Frames of speech in the window. */
  #voiced = 0;
  /** Where the window before ended: no sound is heard twice. */
  #before = 0;

  add(probability: number): Window | undefined {
    const now = this.#probabilities.push(probability) - 1;
    if (probability > (this.#isSpeaking ? ENDS : BEGINS)) {
      const ended = this.#isSpeaking ? undefined : this.#endedBy(now);
      this.#isSpeaking = true;
      this.#start ??= now;
      this.#end = now + 1;
      this.#voiced++;
      return ended ?? this.#cutIfLong(now);
    }
    if (this.#isSpeaking && now - this.#end >= SHORTEST_PAUSE) this.#isSpeaking = false;
    return this.#isSpeaking ? this.#cutIfLong(now) : this.#endedBy(now);
  }

  end(): Window | undefined {
    return this.#take(this.#end, this.#probabilities.length);
  }

  /** The window, if the silence since its end is long enough to end it. */
  #endedBy(now: number): Window | undefined {
    if (this.#start === undefined || now - this.#end < endingPause(this.#end - this.#start)) return undefined;
    return this.#take(this.#end, now);
  }

  #cutIfLong(now: number): Window | undefined {
    if (this.#start === undefined || now - this.#start < LONGEST) return undefined;
    let cut = now - SEARCHED;
    for (let at = cut; at < now; at++) if (this.#probabilities[at]! <= this.#probabilities[cut]!) cut = at;
    const window = this.#take(cut, cut);
    this.#start = cut;
    this.#voiced = now - cut;
    return window;
  }

  /**
   * Ends the window at `end`, where silence follows until `silent`.
   * @returns undefined if there was too little speech
   */
  #take(end: number, silent: number): Window | undefined {
    const [start, voiced] = [this.#start, this.#voiced];
    this.#start = undefined;
    this.#voiced = 0;
    if (start === undefined || voiced < SHORTEST_SPEECH) return undefined;
    const first = Math.max(this.#before, start - MARGIN);
    const last = Math.min(silent, end + MARGIN);
    this.#before = last;
    let sum = 0;
    for (let at = start; at < end; at++) sum += this.#probabilities[at]!;
    return { start: first * FRAME, end: last * FRAME, speech: sum / (end - start) };
  }
}
