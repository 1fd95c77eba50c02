import { AnswerParser } from "../../parsers/answer-parser.ts";
import type { AnswerReading, TokenInfo, TokenOutput } from "./job.ts";

/** Separates an answer into text, reasoning and calls. */
export class AnswerParts {
  readonly #parser: AnswerParser;
  readonly #output: TokenOutput;
  readonly #isSingleCall: boolean;
  /** Tokens that go with the next piece. */
  #tokens: readonly TokenInfo[] | undefined;
  #calls = 0;
  #isBroken = false;
  /** Whether the answer has the one call that it may have; what follows is ignored. */
  isComplete = false;
  /** Tokens with which the model has reasoned; undefined for a model that is not known to reason. */
  reasoningTokens: number | undefined;

  constructor({ formats, isInside, isSingleCall }: AnswerReading, output: TokenOutput) {
    this.#output = output;
    this.#isSingleCall = isSingleCall;
    this.reasoningTokens = formats.reasoning && 0;
    this.#parser = new AnswerParser(formats, isInside, {
      text: (text) => this.#onText(text),
      reasoning: (text) => this.#output.onReasoning(text, this.#takeTokens()),
      begin: (name, id) => this.#onCall(name, id),
      arguments: (json) => {
        if (!this.isComplete) this.#output.onArguments(json);
      },
      end: (isBroken) => this.#onCallEnd(isBroken === true),
    });
  }

  /** Whether the answer consists of calls, all of them whole. */
  get hasCalls(): boolean {
    return this.#calls > 0 && !this.#isBroken;
  }

  /** Adds the text of a token. */
  push(text: string): void {
    if (this.reasoningTokens !== undefined && this.#parser.isReasoning) this.reasoningTokens++;
    if (text !== "" && !this.isComplete) this.#parser.push(text);
  }

  /** @param tokens those of the texts that are pushed next; undefined if the client does not want them */
  begin(tokens: readonly TokenInfo[] | undefined): void {
    this.#tokens = tokens;
  }

  /** Passes on tokens to which no text belongs. */
  flushTokens(): void {
    const tokens = this.#takeTokens();
    if (tokens !== undefined) this.#output.onText("", tokens);
  }

  /** The answer is over. */
  end(): void {
    this.#parser.end();
  }

  #takeTokens(): readonly TokenInfo[] | undefined {
    const tokens = this.#tokens;
    this.#tokens = undefined;
    return tokens;
  }

  #onText(text: string): void {
    if (!this.isComplete) this.#output.onText(text, this.#takeTokens());
  }

  #onCall(name: string, id: string | undefined): void {
    if (this.isComplete) return;
    this.#calls++;
    this.#output.onCall(name, id);
  }

  #onCallEnd(isBroken: boolean): void {
    if (this.isComplete) return;
    this.#isBroken ||= isBroken;
    this.isComplete = this.#isSingleCall && !isBroken;
  }
}
