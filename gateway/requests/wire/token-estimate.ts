import type { TextTokens } from "../../prompts/tokenizers/text-tokens.ts";
import { type AnswerEvent, textOfChoice, tokensIn } from "./answer-event.ts";

/** Events count as several tokens only above this average, estimated from their text, because words vary in length. */
const SEVERAL = 1.6;

/**
 * Estimates how many tokens the events of a stream carry. Most engines send one event per token; those that send
 * several are recognised from the usage, log probabilities or text length of sampled events.
 */
export class TokenEstimate {
  /** Events and tokens up to the last event that reported usage. */
  #knownEvents = 0;
  #knownTokens = 0;
  #samples = 0;
  #sampledTokens = 0;
  #areCounted = false;
  readonly #textTokens: Pick<TextTokens, "bytesPerToken">;

  /** @param textTokens average length of the model's tokens */
  constructor(textTokens: Pick<TextTokens, "bytesPerToken">) {
    this.#textTokens = textTokens;
  }

  /** @param events number of events so far, including this one */
  sample(sampled: AnswerEvent, events: number): void {
    const completionTokens = sampled.usage?.completion_tokens;
    if (completionTokens) {
      this.#knownEvents = events;
      this.#knownTokens = completionTokens;
    }
    for (const choice of sampled.choices ?? []) {
      const text = textOfChoice(choice);
      const counted = tokensIn(choice);
      if (text === "" && !counted) continue;
      this.#samples++;
      this.#areCounted ||= counted !== undefined;
      this.#sampledTokens +=
        counted ?? Math.max(1, encoder.encode(text).length / this.#textTokens.bytesPerToken);
    }
  }

  /** Estimated tokens in this many events. */
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
