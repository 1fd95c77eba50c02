import { type Step, TextReader } from "./reading/text-reader.ts";
import type { ReasoningContext, ReasoningFormat, TextSink } from "./types.ts";

/** Separates an answer's reasoning from its text. */
export class ReasoningParser {
  readonly #sink: TextSink;
  readonly #reader = new TextReader();
  /** Undefined once no more reasoning can follow. */
  #steps: Step<void> | undefined;
  /** Whether the model is reasoning now. */
  isReasoning: boolean;

  constructor(format: ReasoningFormat, context: ReasoningContext, sink: TextSink) {
    this.isReasoning = context.isInside;
    this.#sink = {
      text: (text) => {
        this.isReasoning = false;
        if (text !== "") sink.text(text);
      },
      reasoning: (text) => {
        this.isReasoning = true;
        if (text !== "") sink.reasoning(text);
      },
    };
    this.#steps = format.read(this.#reader, this.#sink, context);
    this.#advance();
  }

  /** Whether no more reasoning can follow. */
  get isIdle(): boolean {
    return this.#steps === undefined;
  }

  push(text: string): void {
    if (this.#steps === undefined) this.#sink.text(text);
    else {
      this.#reader.feed(text);
      this.#advance();
    }
  }

  end(): void {
    this.#reader.close();
    while (this.#steps !== undefined) this.#advance();
  }

  #advance(): void {
    if (this.#steps?.next().done !== true) return;
    this.#steps = undefined;
    this.isReasoning = false;
    const rest = this.#reader.takeRest();
    if (rest !== "") this.#sink.text(rest);
  }
}
