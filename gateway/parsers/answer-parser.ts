import { ReasoningParser } from "./reasoning-parser.ts";
import { ToolParser } from "./tool-parser.ts";
import type { AnswerSink, CallFormat, ReasoningFormat } from "./types.ts";

/** How an answer is read. */
export interface AnswerFormats {
  readonly reasoning?: ReasoningFormat | undefined;
  /** Undefined if the model may call nothing. */
  readonly calls?: CallFormat | undefined;
}

/** Control tokens of the model that have a meaning in these formats. */
export const controlsOf = ({ reasoning, calls }: AnswerFormats): ReadonlySet<string> =>
  new Set([...(reasoning?.controls ?? []), ...(calls?.format.controls ?? [])]);

/** Separates an answer into text, reasoning and tool calls, as it arrives. */
export class AnswerParser {
  readonly #reasoning: ReasoningParser | undefined;
  readonly #calls: ToolParser | undefined;
  readonly #text: (text: string) => void;

  /** @param isInside whether the answer begins in the middle of reasoning */
  constructor({ reasoning, calls }: AnswerFormats, isInside: boolean, sink: AnswerSink) {
    const tools = calls && new ToolParser(calls, sink);
    this.#calls = tools;
    this.#text = tools === undefined ? (text) => sink.text(text) : (text) => tools.push(text);
    if (reasoning !== undefined)
      this.#reasoning = new ReasoningParser(
        reasoning,
        { isInside, calls },
        { text: this.#text, reasoning: (text) => sink.reasoning(text) },
      );
  }

  /** Whether the model is reasoning now. */
  get isReasoning(): boolean {
    return this.#reasoning?.isReasoning === true;
  }

  /** Whether it holds nothing back, so that it need not see text without markers. */
  get isIdle(): boolean {
    return this.#reasoning?.isIdle !== false && this.#calls?.isIdle !== false;
  }

  /** Reads a piece of the answer, which does not end within a character. */
  push(text: string): void {
    if (this.#reasoning === undefined) this.#text(text);
    else this.#reasoning.push(text);
  }

  /** The answer is over. */
  end(): void {
    this.#reasoning?.end();
    this.#calls?.end();
  }
}
