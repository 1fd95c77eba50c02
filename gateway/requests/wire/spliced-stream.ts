import { jsonOf } from "../../kernel/json.ts";
import { type AnswerEvent, readAnswerEvent } from "./answer-event.ts";
import { errorStatusOf } from "./engine-error.ts";
import { DONE_EVENT, event, isDone, readEvents } from "./event-text.ts";
import type { PartialAnswer } from "./partial-answer.ts";

/**
 * Rewrites the events of the engine that continues an answer to fit the client's stream: with the same id, without a
 * second role event, and with usage for the whole answer.
 */
export class SplicedStream {
  readonly #partial: PartialAnswer;
  /** Tokens from the previous engines. */
  readonly #tokensBefore: number;

  constructor(partial: PartialAnswer, tokensBefore: number) {
    this.#partial = partial;
    this.#tokensBefore = tokensBefore;
  }

  /** Rewrites text from the engine, up to the first error or unreadable event. */
  push(text: string): { text: string; fault: string | undefined } {
    // Comments keep the client's connection alive.
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
      if (this.#isSecondRole(parsed)) continue;
      // A further move must continue from the same events as the client has.
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

  /** Whether it only repeats the role, which starts a message and which the client already has. */
  #isSecondRole({ choices, usage }: AnswerEvent): boolean {
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
