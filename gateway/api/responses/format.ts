import type { ApiError } from "../../kernel/errors.ts";
import { type Eventually, mapped } from "../../kernel/eventually.ts";
import { isRecord } from "../../kernel/json.ts";
import type { TokenInfo } from "../../requests/tokens/job.ts";
import { chatLogprobs } from "../openai/chat-format.ts";
import type { AnswerFormat, AnswerHead, Choice } from "../openai/format.ts";
import {
  type FunctionCallItem,
  functionCallItem,
  type ItemStatus,
  itemId,
  messageItem,
  type OutputItem,
  outputText,
  type ReasoningPart,
  reasoningItem,
} from "./items.ts";
import { endedResponse, failedResponse, type ResponseObject } from "./response.ts";
import type { FunctionName } from "./tools.ts";

/**
 * Answers of `/v1/responses`: https://platform.openai.com/docs/api-reference/responses-streaming
 * @param response as it begins
 * @param names of functions for the client, where they differ from the model's
 * @param onEnd gets the response at its end, and returns it as the client gets it: once it is stored, if it is
 */
export function responsesFormat(
  head: AnswerHead,
  response: ResponseObject,
  names: ReadonlyMap<string, FunctionName>,
  onEnd: (response: ResponseObject) => Eventually<ResponseObject>,
): AnswerFormat {
  const writer = new EventWriter();
  const reasoningKind = isRecord(response.reasoning) && response.reasoning.summary ? SUMMARY : RAW;
  const items = new ItemWriter(writer, response.id, reasoningKind);
  const logprobsOf = (tokens: readonly TokenInfo[] | undefined) =>
    tokens === undefined || !head.hasLogprobs ? [] : chatLogprobs(head.vocabulary, tokens).content;
  let finishReason: Choice["finishReason"] = "stop";
  return {
    first: () =>
      writer.event("response.created", { response }) + writer.event("response.in_progress", { response }),
    text: (_, text, tokens) =>
      text === "" && tokens === undefined ? "" : items.text(text, logprobsOf(tokens)),
    reasoning: (_, text) => (text === "" ? "" : items.reasoning(text)),
    call: (_, name, callId) => items.call(names.get(name) ?? { name }, callId),
    arguments: (_, json) => items.arguments(json),
    echo: () => "",
    last(_, result) {
      finishReason = result.finishReason;
      return items.end(finishReason === "length" ? "incomplete" : "completed");
    },
    end(usage) {
      const ended = endedResponse(response, items.done, finishReason, usage);
      return mapped(onEnd(ended), (response) => writer.event(`response.${response.status}`, { response }));
    },
    error(error: ApiError) {
      const failed = failedResponse(response, items.done, error);
      void onEnd(failed);
      return writer.event("response.failed", { response: failed });
    },
    whole([answer], usage) {
      const calls = answer!.calls.map((call) => ({ ...call, ...names.get(call.name) }));
      const output = itemsOf(response.id, { ...answer!, calls }, logprobsOf(answer!.tokens), reasoningKind);
      const ended = endedResponse(response, output, answer!.finishReason, usage);
      return onEnd(ended);
    },
  };
}

function itemsOf(
  responseId: string,
  { text, reasoning, calls, finishReason }: Choice,
  logprobs: readonly object[],
  { partType }: ReasoningKind,
): OutputItem[] {
  const items: OutputItem[] = [];
  const last = finishReason === "length" ? "incomplete" : "completed";
  const newId = (type: OutputItem["type"]) => itemId(type, responseId, items.length);
  if (reasoning !== "")
    items.push(reasoningItem(newId("reasoning"), [{ type: partType, text: reasoning }], "completed"));
  const textStatus = calls.length === 0 ? last : "completed";
  if (text !== "" || calls.length === 0)
    items.push(messageItem(newId("message"), [outputText(text, logprobs)], textStatus));
  for (const [index, call] of calls.entries()) {
    const status = index === calls.length - 1 ? last : "completed";
    items.push(functionCallItem(newId("function_call"), call, status));
  }
  return items;
}

const namesOf = ({ name, namespace }: FunctionCallItem): FunctionName =>
  namespace === undefined ? { name } : { name, namespace };

/** Numbers the events of a stream. */
class EventWriter {
  #next = 0;

  event(type: string, fields: object): string {
    const data = { type, sequence_number: this.#next++, ...fields };
    return `event: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
  }
}

interface OpenItem {
  readonly type: OutputItem["type"];
  readonly id: string;
  readonly callId: string;
  readonly names: FunctionName;
  text: string;
  readonly logprobs: object[];
}

/** How a response tells the model's reasoning. */
interface ReasoningKind {
  readonly partType: ReasoningPart["type"];
  /** The fields and events that differ. */
  readonly index: string;
  readonly textEvent: string;
  readonly partEvent: string;
}

const RAW: ReasoningKind = {
  partType: "reasoning_text",
  index: "content_index",
  textEvent: "response.reasoning_text",
  partEvent: "response.content_part",
};

/** For clients that ask for a summary, and only read that. */
const SUMMARY: ReasoningKind = {
  partType: "summary_text",
  index: "summary_index",
  textEvent: "response.reasoning_summary_text",
  partEvent: "response.reasoning_summary_part",
};

/** Writes the events of a response's items, one after the other. */
class ItemWriter {
  readonly #writer: EventWriter;
  readonly #reasoning: ReasoningKind;
  readonly #responseId: string;
  /** Items that are complete. */
  readonly done: OutputItem[] = [];
  #open: OpenItem | undefined;

  constructor(writer: EventWriter, responseId: string, reasoning: ReasoningKind) {
    this.#writer = writer;
    this.#reasoning = reasoning;
    this.#responseId = responseId;
  }

  text(delta: string, logprobs: readonly object[]): string {
    const begin =
      this.#open?.type === "message"
        ? ""
        : this.end("completed") + this.#begin(messageItem(this.#newId("message"), [], "in_progress"));
    const open = this.#open!;
    open.text += delta;
    open.logprobs.push(...logprobs);
    return begin + this.#event("response.output_text.delta", { content_index: 0, delta, logprobs });
  }

  reasoning(delta: string): string {
    const begin =
      this.#open?.type === "reasoning"
        ? ""
        : this.end("completed") + this.#begin(reasoningItem(this.#newId("reasoning"), [], "in_progress"));
    this.#open!.text += delta;
    const { textEvent, index } = this.#reasoning;
    return begin + this.#event(`${textEvent}.delta`, { [index]: 0, delta });
  }

  call(names: FunctionName, callId: string): string {
    const end = this.end("completed");
    const id = this.#newId("function_call");
    return end + this.#begin(functionCallItem(id, { id: callId, ...names, arguments: "" }, "in_progress"));
  }

  arguments(delta: string): string {
    this.#open!.text += delta;
    return this.#event("response.function_call_arguments.delta", { delta });
  }

  /** Ends the item that is open. */
  end(status: ItemStatus): string {
    const open = this.#open;
    if (open === undefined) return "";
    const { type, id, callId, names, text, logprobs } = open;
    const index = { content_index: 0 };
    switch (type) {
      case "message": {
        const part = outputText(text, logprobs);
        return (
          this.#event("response.output_text.done", { ...index, text, logprobs }) +
          this.#event("response.content_part.done", { ...index, part }) +
          this.#finish(messageItem(id, [part], status))
        );
      }
      case "reasoning": {
        const { partType, textEvent, partEvent, index } = this.#reasoning;
        const part = { type: partType, text };
        return (
          this.#event(`${textEvent}.done`, { [index]: 0, text }) +
          this.#event(`${partEvent}.done`, { [index]: 0, part }) +
          this.#finish(reasoningItem(id, [part], status))
        );
      }
      case "function_call":
        return (
          this.#event("response.function_call_arguments.done", { name: names.name, arguments: text }) +
          this.#finish(functionCallItem(id, { id: callId, ...names, arguments: text }, status))
        );
    }
  }

  #newId(type: OutputItem["type"]): string {
    return itemId(type, this.#responseId, this.done.length);
  }

  #begin(item: OutputItem): string {
    const isCall = item.type === "function_call";
    this.#open = {
      type: item.type,
      id: item.id,
      callId: isCall ? item.call_id : "",
      names: isCall ? namesOf(item) : { name: "" },
      text: "",
      logprobs: [],
    };
    const added = this.#writer.event("response.output_item.added", { output_index: this.done.length, item });
    if (isCall) return added;
    if (item.type === "message")
      return added + this.#event("response.content_part.added", { content_index: 0, part: outputText("") });
    const { partType, partEvent, index } = this.#reasoning;
    return added + this.#event(`${partEvent}.added`, { [index]: 0, part: { type: partType, text: "" } });
  }

  #finish(item: OutputItem): string {
    const done = this.#writer.event("response.output_item.done", { output_index: this.done.length, item });
    this.done.push(item);
    this.#open = undefined;
    return done;
  }

  /** An event of the item that is open. */
  #event(type: string, fields: object): string {
    return this.#writer.event(type, { item_id: this.#open!.id, output_index: this.done.length, ...fields });
  }
}
