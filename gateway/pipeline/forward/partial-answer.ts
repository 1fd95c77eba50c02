import { type AnswerChoice, type AnswerEvent, readAnswerEvent } from "./answer-event.ts";
import { DONE, eventData } from "./event-text.ts";

/** What makes the events of one stream belong together, for those that another engine writes to it. */
export interface StreamIdentity {
  readonly id: string | undefined;
  readonly created: number | undefined;
  readonly model: string | undefined;
}

/** What a client has of a streamed answer with one choice. */
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

  /** Takes in the events of a stream's text. */
  addText(text: string): void {
    for (const data of eventData(text)) {
      if (data === DONE) {
        this.isDone = true;
        continue;
      }
      const event = readAnswerEvent(data);
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
  }

  #addChoice({ index, delta, text, finish_reason }: AnswerChoice): void {
    if (index > 0) this.obstacle = "several choices";
    if (delta?.role) this.hasRole = true;
    if (delta?.tool_calls?.length) this.obstacle = "a tool call";
    if (delta?.reasoning_content || delta?.reasoning) this.obstacle = "reasoning";
    const piece = delta?.content || text || "";
    if (piece !== "") {
      this.text += piece;
      this.textEvents++;
    }
    if (finish_reason) this.finishReason = finish_reason;
  }
}
