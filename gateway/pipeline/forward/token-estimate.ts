import type { TextTokens } from "../serving/text-tokens.ts";
import { type AnswerEvent, textOf, tokensIn } from "./answer-event.ts";

/** Tokens that an event must have, on average and by its text, to be taken for several: words differ in length. */
const SEVERAL = 1.6;

/**
 * About how many tokens the events of a stream stand for. Most engines send an event for each; some put several into
 * one, which now and then an event shows, by its usage, its log probabilities or its text.
 */
export class TokenEstimate {
  /** Up to an event that told its usage: events, and tokens. */
  #knownEvents = 0;
  #knownTokens = 0;
  #samples = 0;
  #sampledTokens = 0;
  #areCounted = false;
  readonly #textTokens: Pick<TextTokens, "bytesPerToken">;

  /** @param textTokens how long the model's tokens are */
  constructor(textTokens: Pick<TextTokens, "bytesPerToken">) {
    this.#textTokens = textTokens;
  }

  /** @param events how many events came, up to this one */
  sample(sampled: AnswerEvent, events: number): void {
    const completionTokens = sampled.usage?.completion_tokens;
    if (completionTokens) {
      this.#knownEvents = events;
      this.#knownTokens = completionTokens;
    }
    for (const choice of sampled.choices ?? []) {
      const text = textOf(choice);
      const counted = tokensIn(choice);
      if (text === "" && !counted) continue;
      this.#samples++;
      this.#areCounted ||= counted !== undefined;
      this.#sampledTokens +=
        counted ?? Math.max(1, encoder.encode(text).length / this.#textTokens.bytesPerToken);
    }
  }

  /** Tokens of so many events. */
  of(events: number): number {
    return this.#knownTokens + Math.round(Math.max(0, events - this.#knownEvents) * this.tokensPerEvent);
  }

  get tokensPerEvent(): number {
    if (this.#samples === 0) return 1;
    const mean = this.#sampledTokens / this.#samples;
    return mean < 1 || (!this.#areCounted && mean < SEVERAL) ? 1 : mean;
  }
}

const encoder = new TextEncoder();
