import type { TranscribedSegment } from "#runtime";
import { SPEECH_RATE } from "../audio/samples.ts";
import type { Recogniser } from "./recogniser.ts";
import type { Vocabulary } from "./vocabulary.ts";
import type { VoiceDetector } from "./voice-detector.ts";
import { cutWindows, type Window } from "./windows.ts";

/** The model's parts. */
export interface Model {
  readonly voice: VoiceDetector;
  readonly recogniser: Recogniser;
  readonly vocabulary: Vocabulary;
}

export interface HeardWindow {
  readonly segment: TranscribedSegment | undefined;
  readonly isLast: boolean;
  readonly tokens: number;
}

/** One request's audio, heard window by window. */
export class Hearing {
  readonly #model: Model;
  readonly #samples: Float32Array;
  readonly #temperature: number;
  readonly #isCancelled: () => boolean;
  readonly #windows: AsyncGenerator<Window>;
  #hasText = false;

  /**
   * @param samples 16,000 a second
   * @param isCancelled asked before each token
   */
  constructor(model: Model, samples: Float32Array, temperature: number, isCancelled: () => boolean) {
    this.#model = model;
    this.#samples = samples;
    this.#temperature = temperature;
    this.#isCancelled = isCancelled;
    this.#windows = cutWindows(this.#probabilities());
  }

  /** @param onText called with text to append, as it is heard */
  async next(onText: (text: string) => void): Promise<HeardWindow> {
    const { value: window, done } = await this.#windows.next();
    if (done || window === undefined) return { segment: undefined, isLast: true, tokens: 0 };
    return this.#hear(window, onText);
  }

  async *#probabilities(): AsyncGenerator<Float32Array> {
    for await (const batch of this.#model.voice.probabilities(this.#samples)) {
      if (this.#isCancelled()) return;
      yield batch;
    }
  }

  async #hear({ start, end, speech }: Window, onText: (text: string) => void): Promise<HeardWindow> {
    const tokens: number[] = [];
    let logprobs = 0;
    let text = "";
    const append = (piece: string) => {
      // Windows are separated by a space, and nothing precedes the first one.
      const shown = text === "" ? piece.trimStart() : piece;
      if (shown === "") return;
      onText(text === "" && this.#hasText ? ` ${shown}` : shown);
      text += shown;
      this.#hasText = true;
    };
    const { recogniser, vocabulary } = this.#model;
    const reader = vocabulary.reader();
    for await (const { token, logprob } of recogniser.hear(
      this.#samples.slice(start, end),
      this.#temperature,
    )) {
      if (this.#isCancelled()) break;
      tokens.push(token);
      logprobs += logprob;
      append(reader.read(token));
    }
    append(reader.end());
    const segment: TranscribedSegment = {
      start: start / SPEECH_RATE,
      end: Math.min(end, this.#samples.length) / SPEECH_RATE,
      text: text.trimEnd(),
      tokens,
      meanLogprob: tokens.length === 0 ? undefined : logprobs / tokens.length,
      noSpeech: 1 - speech,
    };
    return { segment: text === "" ? undefined : segment, isLast: false, tokens: tokens.length };
  }
}
