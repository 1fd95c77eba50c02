import type { ApiError } from "../../kernel/errors.ts";
import type { HttpHead, WireReply } from "../../wire/types.ts";
import type { Placement } from "../placement.ts";
import { errorEvent } from "./event-api.ts";
import { DONE_EVENT, event, type StreamEvent } from "./event-text.ts";
import type { WireJob } from "./job.ts";
import type { PartialAnswer } from "./partial-answer.ts";

export interface AnswerHooks {
  /** Where the request is being answered now. */
  placement(): Placement;
  /** Starts the answer to the client. */
  reply(head: HttpHead, placement: Placement): WireReply;
}

/** The end of a stream that broke off after all of its text. */
export interface MissingEnd {
  readonly finishReason: "length" | undefined;
  /** In OpenAI's format; undefined if the client has it already, or has not asked for it. */
  readonly usage: Readonly<Record<string, number>> | undefined;
}

/** The reply to the client, which starts with the first piece of an answer from any engine. */
export class ClientReply {
  /** Whether the client reads too slowly. */
  isFull = false;
  readonly #job: WireJob;
  readonly #hooks: AnswerHooks;
  #head: HttpHead | undefined;
  #reply: WireReply | undefined;

  constructor(job: WireJob, hooks: AnswerHooks) {
    this.#job = job;
    this.#hooks = hooks;
  }

  /** Whether the client has received part of the answer. */
  get hasBegun(): boolean {
    return this.#reply !== undefined;
  }

  /** @returns whether the bytes are still in use */
  write(head: HttpHead, wire: Uint8Array, isFramed: boolean): boolean {
    const reply = this.#opened(head);
    this.isFull = !reply.write(wire, isFramed);
    return reply.isHolding;
  }

  /** The same for the last piece. */
  finish(head: HttpHead, wire: Uint8Array, isFramed: boolean): boolean {
    const reply = this.#opened(head);
    reply.finish(wire, isFramed);
    return reply.isHolding;
  }

  writeText(text: string): void {
    this.isFull = !this.#reply!.writeText(text);
  }

  end(): void {
    this.#reply!.end();
  }

  /** Ends a stream that lacks only its end. */
  complete({ identity, isDone }: PartialAnswer, { finishReason, usage }: MissingEnd): void {
    const isChat = this.#job.events === "chat";
    const object = isChat ? "chat.completion.chunk" : "text_completion";
    const write = (fields: object) =>
      this.writeText(event(JSON.stringify({ ...identity, object, ...fields })));
    if (finishReason !== undefined) {
      const choice = { index: 0, ...(isChat ? { delta: {} } : { text: "" }), finish_reason: finishReason };
      write({ choices: [choice] });
    }
    if (usage !== undefined) write({ choices: [], usage });
    if (!isDone) this.writeText(DONE_EVENT);
    this.end();
  }

  /**
   * Ends an incomplete answer with an error.
   * @param engineError the engine's own error event, if it sent one
   * @param tail the last part of what was sent
   */
  fail(error: ApiError, engineError: StreamEvent | undefined, tail: string): void {
    if (this.#reply === undefined) return;
    if (this.#head?.isEventStream) {
      const { events, requestId } = this.#job;
      const own = errorEvent(events, error, { requestId, tail });
      this.#reply.writeText(engineError === undefined ? own : eventText(engineError));
      this.#reply.end();
    } else this.#reply.destroy();
  }

  #opened(head: HttpHead): WireReply {
    if (this.#reply !== undefined) return this.#reply;
    this.#head = head;
    const reply = this.#hooks.reply(head, this.#hooks.placement());
    const { onWritable } = reply;
    reply.onWritable = () => {
      this.isFull = false;
      onWritable?.();
    };
    this.#reply = reply;
    return reply;
  }
}

/** An engine's event in the format of event streams. */
export const eventText = ({ data, name }: StreamEvent) => event(data, name === "" ? undefined : name);
