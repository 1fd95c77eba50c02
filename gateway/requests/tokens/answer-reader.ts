import type { DeltaDecoder, FinishReason } from "#runtime";
import type { WorkerMember } from "../../models/members/member.ts";
import { controlsOf } from "../../parsers/answer-parser.ts";
import type { Life } from "../life.ts";
import { placementOf } from "../placement.ts";
import { AnswerParts } from "./answer-parts.ts";
import { AnswerTokens } from "./answer-tokens.ts";
import { Detokenizer } from "./detokenizer.ts";
import type { TokenInfo, TokenJob, TokenOutput, Usage } from "./job.ts";
import { StopStrings } from "./stop-strings.ts";

/**
 * Turns workers' messages into one answer: its text, its log probabilities, and where it ends. Incomplete characters and
 * stop strings are kept here, so that a worker continues where the last one stopped. Reading a message allocates only
 * the text for each token, unless the job asked for log probabilities.
 */
export class AnswerReader {
  readonly #job: TokenJob;
  readonly #output: TokenOutput;
  readonly #life: Life<WorkerMember>;
  readonly #tokens = new AnswerTokens();
  readonly #detokenizer: Detokenizer;
  readonly #stops: StopStrings | undefined;
  /** Undefined if all of the answer is text. */
  readonly #parts: AnswerParts | undefined;
  #hasBegun = false;
  /** The names of the encode workers that encoded media for it. */
  encodeWorkers: readonly string[] = [];

  constructor(job: TokenJob, output: TokenOutput, life: Life<WorkerMember>) {
    this.#job = job;
    this.#output = output;
    this.#life = life;
    this.#detokenizer = new Detokenizer(
      job.model.tokenizer.vocabulary,
      job.reading && controlsOf(job.reading.formats),
    );
    this.#parts = job.reading && new AnswerParts(job.reading, output);
    this.#stops = job.stops.length > 0 ? new StopStrings(job.stops) : undefined;
  }

  /** Whether the output has been notified that the answer has begun. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** In tokens. */
  get length(): number {
    return this.#tokens.length;
  }

  /** Tokens with which the model has reasoned; undefined for a model that is not known to reason. */
  get reasoningTokens(): number | undefined {
    return this.#parts?.reasoningTokens;
  }

  /** Whether it has as many tokens as the job allows. */
  get isFull(): boolean {
    return this.#tokens.length >= this.#job.maxTokens;
  }

  /** The prompt followed by the answer. */
  after(prompt: Uint32Array): Uint32Array {
    return this.#tokens.after(prompt);
  }

  /**
   * Adds the tokens of a message, all of which are in the vocabulary.
   * @returns why the answer is cut after them; undefined if it is not
   */
  read(message: DeltaDecoder): FinishReason | undefined {
    if (message.count > 0 || message.finish !== undefined) this.#begin();
    if (message.echo) this.#output.onEcho(readTokens(message, message.count));
    else if (message.count > 0) return this.#add(message);
    return undefined;
  }

  /**
   * The worker has ended the answer.
   * @param stopToken the token with which it did, if any
   * @returns the finish reason for the client
   */
  end(reason: FinishReason, stopToken: number | undefined): FinishReason {
    if (stopToken === undefined) return reason;
    if (this.isFull) return "length";
    this.#tokens.push(stopToken);
    return reason;
  }

  /** Passes on the text that might have begun a stop string. An incomplete character is dropped. */
  flush(): void {
    const rest = this.#stops?.flush() ?? "";
    if (this.#parts !== undefined) {
      this.#parts.push(rest);
      this.#parts.end();
    } else if (rest !== "") this.#output.onText(rest, this.#job.logprobs === undefined ? undefined : []);
  }

  /** The answer is complete. */
  close(reason: FinishReason, usage: Usage): void {
    const { metrics } = this.#job.model;
    metrics.inputTokens.observe(usage.promptTokens);
    metrics.outputTokens.observe(usage.completionTokens);
    metrics.outputTokensTotal.inc(usage.completionTokens);
    metrics.cachedTokensTotal.inc(usage.cachedTokens);
    const stopString = this.#stops?.found;
    const end = stopString === undefined ? reason : "stop";
    const finishReason = end === "stop" && this.#parts?.hasCalls ? "tool_calls" : end;
    this.#output.onEnd({ finishReason, stopString, usage });
  }

  /** Called with the first token: until then, another worker or another model may answer. */
  #begin(): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    const { prompt, model } = this.#job;
    const placement = placementOf(this.#life.route!, Math.floor(prompt.tokens.length / model.blockSize));
    this.#output.onStart({ ...placement, encodeWorkers: this.encodeWorkers });
  }

  #add(message: DeltaDecoder): FinishReason | undefined {
    this.#life.onPiece(true);
    const room = this.#job.maxTokens - this.#tokens.length;
    const count = Math.min(message.count, room);
    const tokens = this.#job.logprobs === undefined ? undefined : readTokens(message, count);
    if (this.#parts === undefined) this.#passText(message, count, tokens);
    else this.#passParts(this.#parts, message, count, tokens);
    this.#life.grow(this.#tokens.length);
    if (this.#stops?.found !== undefined || this.#parts?.isComplete) return "stop";
    // Some engines ignore the limit.
    return message.count > room || (count === room && message.finish === undefined) ? "length" : undefined;
  }

  #passText(message: DeltaDecoder, count: number, tokens: readonly TokenInfo[] | undefined): void {
    let text = "";
    for (let index = 0; index < count; index++) text += this.#textOf(message.tokens[index]!);
    if (this.#stops !== undefined) text = this.#stops.push(text);
    if (text !== "" || tokens !== undefined) this.#output.onText(text, tokens);
  }

  #passParts(
    parts: AnswerParts,
    message: DeltaDecoder,
    count: number,
    tokens: readonly TokenInfo[] | undefined,
  ): void {
    parts.begin(tokens);
    for (let index = 0; index < count; index++) {
      const text = this.#textOf(message.tokens[index]!);
      parts.push(this.#stops === undefined ? text : this.#stops.push(text));
    }
    parts.flushTokens();
  }

  #textOf(token: number): string {
    this.#tokens.push(token);
    return this.#detokenizer.push(token);
  }
}

/** The first tokens of a message. */
function readTokens(message: DeltaDecoder, count: number): TokenInfo[] {
  return Array.from({ length: count }, (_, index) => ({
    id: message.tokens[index]!,
    logprob: message.hasLogprobs ? message.logprobs[index]! : Number.NaN,
    top: Array.from(
      { length: message.topCount(index) },
      (_, rank) => [message.topId(index, rank), message.topLogprob(index, rank)] as const,
    ),
  }));
}
