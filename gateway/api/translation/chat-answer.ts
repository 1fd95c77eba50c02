import { type Eventually, mapped } from "../../kernel/eventually.ts";
import { isRecord, jsonOf } from "../../kernel/json.ts";
import type { AnswerEnd, TokenInfo, Usage } from "../../requests/tokens/job.ts";
import type { AnswerFormat, Call, Choice } from "../openai/format.ts";
import type { QuotedTokens } from "./quoted-tokens.ts";

/** What an engine's chat completion says about its end. */
export interface ChatEnd {
  finishReason: AnswerEnd;
  stopString: string | undefined;
  usage: Usage;
}

/** Turns the events of an engine's streamed chat completion into events of another API. */
export class ChatEvents {
  readonly #format: AnswerFormat;
  readonly #end: ChatEnd;
  readonly #quoted: QuotedTokens | undefined;
  #hasBegun = false;
  /** The `index` of the call that is being streamed. */
  #call: unknown;
  #pieces = 0;
  #hasUsage = false;

  /**
   * @param promptTokens used if the engine reports no usage
   * @param quoted the format's vocabulary, if it tells log probabilities
   */
  constructor(format: AnswerFormat, promptTokens: number, quoted: QuotedTokens | undefined) {
    this.#format = format;
    this.#quoted = quoted;
    this.#end = newEnd(promptTokens);
  }

  /** @param data of one event, except `[DONE]` */
  read(data: string): string {
    const chunk = jsonOf(data);
    if (!isRecord(chunk)) return "";
    if (isRecord(chunk.usage)) {
      this.#end.usage = usageOf(chunk.usage, this.#end.usage);
      this.#hasUsage = true;
    }
    const begin = this.#begin();
    const choice: unknown = Array.isArray(chunk.choices) ? chunk.choices[0] : undefined;
    if (!isRecord(choice)) return begin;
    noteEnd(this.#end, choice);
    const tokens = this.#quoted?.read(choice.logprobs);
    return begin + (isRecord(choice.delta) ? this.#delta(choice.delta, tokens) : "");
  }

  /** The events that end the answer. */
  end(): Eventually<string> {
    const { usage } = this.#end;
    if (!this.#hasUsage) usage.completionTokens = this.#pieces;
    const before = this.#begin() + this.#format.last(0, this.#end);
    return mapped(this.#format.end(usage), (end) => before + end);
  }

  #begin(): string {
    if (this.#hasBegun) return "";
    this.#hasBegun = true;
    return this.#format.first(0);
  }

  #delta(delta: Readonly<Record<string, unknown>>, tokens: readonly TokenInfo[] | undefined): string {
    let events = "";
    const reasoning = textOf(delta.reasoning_content) || textOf(delta.reasoning);
    if (reasoning !== "") events += this.#format.reasoning(0, reasoning, undefined);
    const text = textOf(delta.content) || textOf(delta.refusal);
    if (text !== "") events += this.#format.text(0, text, tokens);
    if (Array.isArray(delta.tool_calls)) for (const call of delta.tool_calls) events += this.#callDelta(call);
    // A token may be a part of a character.
    if (events === "" && tokens !== undefined && tokens.length > 0) events = this.#format.text(0, "", tokens);
    if (events !== "") this.#pieces++;
    return events;
  }

  #callDelta(call: unknown): string {
    if (!isRecord(call) || !isRecord(call.function)) return "";
    const { name, arguments: json } = call.function;
    let events = "";
    if (typeof name === "string" && name !== "" && (this.#call === undefined || call.index !== this.#call)) {
      this.#call = call.index ?? {};
      events += this.#format.call(0, name, textOf(call.id));
    }
    if (typeof json === "string" && json !== "") events += this.#format.arguments(0, json);
    return events;
  }
}

/**
 * The answer of an engine's chat completion.
 * @param promptTokens used if the engine reports no usage
 * @param quoted the vocabulary of its log probabilities, if they are wanted
 * @returns undefined if it is none
 */
export function chatAnswerOf(
  body: unknown,
  promptTokens: number,
  quoted: QuotedTokens | undefined,
): { readonly choice: Choice; readonly usage: Usage } | undefined {
  if (!isRecord(body) || !Array.isArray(body.choices)) return undefined;
  const choice: unknown = body.choices[0];
  if (!isRecord(choice) || !isRecord(choice.message)) return undefined;
  const end = newEnd(promptTokens);
  noteEnd(end, choice);
  const { message } = choice;
  const calls = Array.isArray(message.tool_calls) ? message.tool_calls.flatMap(callOf) : [];
  return {
    choice: {
      index: 0,
      text: textOf(message.content) || textOf(message.refusal),
      reasoning: textOf(message.reasoning_content) || textOf(message.reasoning),
      calls,
      tokens: quoted?.read(choice.logprobs) ?? [],
      finishReason: end.finishReason,
      stopString: end.stopString,
    },
    usage: isRecord(body.usage) ? usageOf(body.usage, end.usage) : end.usage,
  };
}

const newEnd = (promptTokens: number): ChatEnd => ({
  finishReason: "stop",
  stopString: undefined,
  usage: { promptTokens, completionTokens: 0, cachedTokens: 0 },
});

function noteEnd(end: ChatEnd, choice: Readonly<Record<string, unknown>>): void {
  const { finish_reason: reason, stop_reason: stop = choice.matched_stop } = choice;
  if (reason === "length") end.finishReason = "length";
  else if (reason === "tool_calls" || reason === "function_call") end.finishReason = "tool_calls";
  // vLLM and SGLang tell which stop string it was; others tell token ids.
  if (reason === "stop" && typeof stop === "string" && stop !== "") end.stopString = stop;
}

function usageOf(usage: Readonly<Record<string, unknown>>, before: Usage): Usage {
  const { prompt_tokens_details: prompt, completion_tokens_details: completion } = usage;
  const cached = isRecord(prompt) ? prompt.cached_tokens : undefined;
  const reasoning = isRecord(completion) ? completion.reasoning_tokens : undefined;
  return {
    promptTokens: countOf(usage.prompt_tokens) ?? before.promptTokens,
    completionTokens: countOf(usage.completion_tokens) ?? before.completionTokens,
    cachedTokens: countOf(cached) ?? 0,
    ...(countOf(reasoning) !== undefined && { reasoningTokens: countOf(reasoning) }),
  };
}

function callOf(call: unknown): Call[] {
  if (!isRecord(call) || !isRecord(call.function)) return [];
  const { name, arguments: json } = call.function;
  return [{ id: textOf(call.id), name: textOf(name), arguments: textOf(json) || "{}" }];
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

const countOf = (value: unknown): number | undefined =>
  typeof value === "number" && value >= 0 ? value : undefined;
