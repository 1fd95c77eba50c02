import { jsonOf } from "../../prompts/json.ts";
import { type AnswerEvent, readAnswerEvent } from "./answer-event.ts";
import { errorStatusOf } from "./engine-error.ts";
import { DONE_EVENT, event, isDone, readEvents } from "./event-text.ts";
import type { PartialAnswer } from "./partial-answer.ts";

/**
 * Makes the events of an engine that continues an answer into further events of the stream that the client has: with
 * its id, without a second beginning, and with usage that counts the whole answer.
 */
export class SplicedStream {
  readonly #partial: PartialAnswer;
  /** Tokens that came from the engines before. */
  readonly #tokensBefore: number;

  constructor(partial: PartialAnswer, tokensBefore: number) {
    this.#partial = partial;
    this.#tokensBefore = tokensBefore;
  }

  /** The text for the client that stands for this text of the engine, up to an event with which nothing can be done. */
  push(text: string): { text: string; fault: string | undefined } {
    // What keeps a connection alive keeps the client's alive too.
    let out = (text.match(/^:.*$/gm) ?? []).map((comment) => `${comment.trimEnd()}\n\n`).join("");
    for (const { data, name } of readEvents(text)) {
      if (isDone(data)) {
        this.#partial.isDone = true;
        out += DONE_EVENT;
        continue;
      }
      const value = jsonOf(data);
      const parsed = readAnswerEvent(value);
      if (parsed === undefined || errorStatusOf(value, name) !== undefined)
        return { text: out, fault: "The engine sent an error or garbage in its stream." };
      if (this.#isSecondBeginning(parsed)) continue;
      // The event as the client sees it is what a further continuation goes by.
      this.#partial.addEvent(parsed);
      out += event(JSON.stringify(this.#adapted(parsed)));
    }
    return { text: out, fault: undefined };
  }

  #adapted(parsed: AnswerEvent): AnswerEvent {
    const { identity } = this.#partial;
    const own = { ...parsed, ...(identity && definedOf(identity)) };
    if (!parsed.usage) return own;
    const { prompt_tokens, completion_tokens } = parsed.usage;
    return {
      ...own,
      usage: {
        ...parsed.usage,
        prompt_tokens: prompt_tokens - this.#tokensBefore,
        completion_tokens: (completion_tokens ?? 0) + this.#tokensBefore,
      },
    };
  }

  /** Whether it says nothing but that an assistant's message begins, which the client knows. */
  #isSecondBeginning({ choices, usage }: AnswerEvent): boolean {
    if (!this.#partial.hasRole || usage || choices?.length !== 1) return false;
    const [choice] = choices;
    return (
      Boolean(choice?.delta?.role) &&
      !choice?.delta?.content &&
      !choice?.finish_reason &&
      !choice?.delta?.tool_calls
    );
  }
}

function definedOf(fields: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
