import { jsonOf } from "../../kernel/json.ts";
import {
  type AnswerChoice,
  type AnswerEvent,
  readAnswerEvent,
  textOfChoice,
  tokensIn,
} from "./answer-event.ts";
import { isDone, readEvents } from "./event-text.ts";

/** Fields that are the same in all events of a stream, and are copied to events from another engine. */
export interface StreamIdentity {
  readonly id: string | undefined;
  readonly created: number | undefined;
  readonly model: string | undefined;
}

/** The part of a streamed answer that the client has received. */
export class PartialAnswer {
  identity: StreamIdentity | undefined;
  text = "";
  /** Events with text; most engines send one per token. */
  textEvents = 0;
  hasRole = false;
  finishReason: string | undefined;
  isDone = false;
  /** Why no other engine can continue it: it has parts that a prompt cannot end with. */
  obstacle: string | undefined;
  /** Choices that have begun, and those that have ended. */
  readonly #begun = new Set<number>();
  readonly #ended = new Set<number>();
  /** Tokens reported in cumulative usage, tokens reported by single events since, and events since that report none. */
  #usedTokens = 0;
  #reportedTokens = 0;
  #uncountedEvents = 0;

  /** Adds the events in a stream's text. */
  addText(text: string): void {
    for (const { data } of readEvents(text)) {
      if (isDone(data)) {
        this.isDone = true;
        continue;
      }
      const event = readAnswerEvent(jsonOf(data));
      if (event === undefined) this.obstacle = "an event that is not in OpenAI's format";
      else this.addEvent(event);
    }
  }

  addEvent(event: AnswerEvent): void {
    this.identity ??= {
      id: event.id ?? undefined,
      created: event.created ?? undefined,
      model: event.model ?? undefined,
    };
    for (const choice of event.choices ?? []) this.#addChoice(choice);
    const used = event.usage?.completion_tokens;
    if (!used) return;
    this.#usedTokens = used;
    this.#reportedTokens = 0;
    this.#uncountedEvents = 0;
  }

  /** Tokens of the text; undefined if the engine has not reported all of them. */
  get tokens(): number | undefined {
    return this.#uncountedEvents > 0 ? undefined : this.#usedTokens + this.#reportedTokens;
  }

  /** Whether the engine has reported usage. */
  get hasUsage(): boolean {
    return this.#usedTokens > 0;
  }

  /** Whether at least this many choices, and all that have begun, have ended. */
  hasEnded(choices: number): boolean {
    return this.#ended.size >= choices && this.#begun.size === this.#ended.size;
  }

  #addChoice(choice: AnswerChoice): void {
    const { index, delta, text, finish_reason } = choice;
    this.#begun.add(index);
    if (index > 0) this.obstacle = "several choices";
    if (delta?.role) this.hasRole = true;
    if (delta?.tool_calls?.length) this.obstacle = "a tool call";
    if (delta?.reasoning_content || delta?.reasoning) this.obstacle = "reasoning";
    const piece = delta?.content || text || "";
    if (piece !== "") {
      this.text += piece;
      this.textEvents++;
    }
    const tokens = tokensIn(choice);
    if (tokens !== undefined) this.#reportedTokens += tokens;
    else if (textOfChoice(choice) !== "") this.#uncountedEvents++;
    if (!finish_reason) return;
    this.finishReason = finish_reason;
    this.#ended.add(index);
  }
}
