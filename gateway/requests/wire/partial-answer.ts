import { jsonOf } from "../../prompts/json.ts";
import { type AnswerChoice, type AnswerEvent, readAnswerEvent, textOf, tokensIn } from "./answer-event.ts";
import { isDone, readEvents } from "./event-text.ts";

/** What makes the events of one stream belong together, for those that another engine writes to it. */
export interface StreamIdentity {
  readonly id: string | undefined;
  readonly created: number | undefined;
  readonly model: string | undefined;
}

/** What a client has of a streamed answer. */
export class PartialAnswer {
  identity: StreamIdentity | undefined;
  text = "";
  /** Events with text: of most engines, tokens. */
  textEvents = 0;
  hasRole = false;
  finishReason: string | undefined;
  isDone = false;
  /** Why no other engine can go on with it: it has parts that a prompt cannot end with. */
  obstacle: string | undefined;
  /** Choices that have begun, and those that have ended. */
  readonly #begun = new Set<number>();
  readonly #ended = new Set<number>();
  /** What the events tell of their tokens: each by itself, or all so far. */
  #toldTokens = 0;
  #untoldEvents = 0;
  #usedTokens = 0;

  /** Takes in the events of a stream's text. */
  addText(text: string): void {
    for (const { data } of readEvents(text)) {
      if (isDone(data)) {
        this.isDone = true;
        continue;
      }
      const event = readAnswerEvent(jsonOf(data));
      if (event === undefined) this.obstacle = "an event that is not in OpenAI's shape";
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
    this.#toldTokens = 0;
    this.#untoldEvents = 0;
  }

  /** Tokens of the text, where the engine has told them all. */
  get tokens(): number | undefined {
    return this.#untoldEvents > 0 ? undefined : this.#usedTokens + this.#toldTokens;
  }

  /** Whether the engine has reported usage. */
  get hasUsage(): boolean {
    return this.#usedTokens > 0;
  }

  /** Whether so many choices, and all that have begun, have ended. */
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
    if (tokens !== undefined) this.#toldTokens += tokens;
    else if (textOf(choice) !== "") this.#untoldEvents++;
    if (!finish_reason) return;
    this.finishReason = finish_reason;
    this.#ended.add(index);
  }
}
