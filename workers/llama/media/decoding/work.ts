import type { MediumPart, RowsPart } from "../medium-parts.ts";
import type { AnsweredToken } from "./answered-token.ts";
import { BATCH_SIZE } from "./batch-memory.ts";
import type { StepContext } from "./native-context.ts";
import type { Sampler } from "./sampler.ts";

/** How an answer ended. */
export interface AnswerEnd {
  readonly finish: "stop" | "length";
  readonly stopToken?: number;
}

export interface WorkOptions {
  readonly sequence: number;
  /** What of the prompt is to be computed. */
  readonly parts: readonly MediumPart[];
  /** Of the first part. */
  readonly position: number;
  readonly sampler: Pick<Sampler, "sample">;
  /** At least 1. */
  readonly maxTokens: number;
  /** How many of the most probable tokens come with each; undefined for no log probabilities. */
  readonly logprobs: number | undefined;
  readonly signal: AbortSignal;
  isEnd(token: number): boolean;
  onToken(token: AnsweredToken): void;
}

/** A prompt that is computed step by step, and then its answer. */
export class Work {
  /** After what the sequence holds. */
  position: number;
  readonly #options: WorkOptions;
  /** The part that is computed next, and where in it. */
  #part = 0;
  #offset = 0;
  #generated = 0;
  /** A token of the answer that is to be computed. */
  #next: number | undefined;

  constructor(options: WorkOptions) {
    this.#options = options;
    this.position = options.position;
  }

  get isCancelled(): boolean {
    return this.#options.signal.aborted;
  }

  /** Whether it generates: the prompt is computed. */
  get isGenerating(): boolean {
    return this.#next !== undefined;
  }

  /** The medium that is computed next, if it is one. */
  get rows(): RowsPart | undefined {
    const part = this.#options.parts[this.#part];
    return part?.kind === "rows" ? part : undefined;
  }

  /** Adds the answer's last token to a step. @returns its place there */
  addToken(native: StepContext): number | undefined {
    if (this.#next === undefined) return undefined;
    const index = native.add(this.#next, this.position++, this.#options.sequence, true);
    this.#next = undefined;
    return index;
  }

  /**
   * Adds tokens of the prompt to a step, until that has so many tokens or a medium comes.
   * @returns the place of the prompt's last token, if it was added
   */
  addText(native: StepContext, limit: number): number | undefined {
    const { parts, sequence } = this.#options;
    for (let part = parts[this.#part]; part?.kind === "text"; part = parts[this.#part]) {
      while (this.#offset < part.tokens.length) {
        if (native.size >= limit) return undefined;
        const isLast = this.#part === parts.length - 1 && this.#offset === part.tokens.length - 1;
        const index = native.add(part.tokens[this.#offset++]!, this.position++, sequence, isLast);
        if (isLast) return index;
      }
      this.#advance();
    }
    return undefined;
  }

  /**
   * Computes the next rows of the medium that comes next.
   * @returns the place of the prompt's last row, if it was computed
   */
  async decodeRows(native: StepContext, part: RowsPart): Promise<number | undefined> {
    const { parts, sequence } = this.#options;
    const isLast = this.#part === parts.length - 1 && this.#offset + BATCH_SIZE >= part.count;
    const from = this.#offset;
    await native.decodeRows(part, from, this.position, sequence, isLast);
    this.#offset += BATCH_SIZE;
    if (this.#offset < part.count) return undefined;
    this.position += part.positions;
    this.#advance();
    return isLast ? part.count - from - 1 : undefined;
  }

  /**
   * Chooses the answer's next token.
   * @param index the place in the last step of the token before it
   * @returns how the answer ends, if it does
   */
  async choose(index: number): Promise<AnswerEnd | undefined> {
    const { sampler, logprobs, maxTokens, isEnd, onToken } = this.#options;
    const token = await sampler.sample(index, logprobs);
    if (isEnd(token.id)) return { finish: "stop", stopToken: token.id };
    onToken(token);
    if (++this.#generated === maxTokens) return { finish: "length" };
    this.#next = token.id;
    return undefined;
  }

  #advance(): void {
    this.#part++;
    this.#offset = 0;
  }
}
