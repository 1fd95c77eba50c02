import type { Call } from "../openai/format.ts";
import type { FunctionName } from "./tools.ts";

/** An item of a response's output. */
export type OutputItem = MessageItem | ReasoningItem | FunctionCallItem;

export interface MessageItem {
  readonly id: string;
  readonly type: "message";
  readonly role: "assistant";
  readonly status: ItemStatus;
  readonly content: readonly OutputText[];
}

export interface OutputText {
  readonly type: "output_text";
  readonly text: string;
  readonly annotations: readonly never[];
  readonly logprobs: readonly object[];
}

export interface ReasoningItem {
  readonly id: string;
  readonly type: "reasoning";
  readonly summary: readonly ReasoningPart[];
  readonly content: readonly ReasoningPart[];
  readonly encrypted_content: null;
  readonly status: ItemStatus;
}

export interface ReasoningPart {
  readonly type: "reasoning_text" | "summary_text";
  readonly text: string;
}

export interface FunctionCallItem extends Omit<Call, "id"> {
  readonly namespace?: string;
  readonly id: string;
  readonly type: "function_call";
  readonly call_id: string;
  readonly status: ItemStatus;
}

export type ItemStatus = "in_progress" | "completed" | "incomplete";

export const outputText = (text: string, logprobs: readonly object[] = []): OutputText => ({
  type: "output_text",
  text,
  annotations: [],
  logprobs,
});

/** Item `index` of a response's output gets an id that leads back to the response; see `responseIdOf`. */
export const itemId = (type: OutputItem["type"], responseId: string, index: number): string =>
  `${PREFIXES[type]}_${responseId.slice(RESPONSE.length)}_${index}`;

/** The response that an item's id leads back to; undefined for an id that is not ours. */
export function responseIdOf(itemId: string): string | undefined {
  const [, suffix] = /^(?:msg|rs|fc|in)_([0-9a-z]+)_\d+$/.exec(itemId) ?? [];
  return suffix === undefined ? undefined : `${RESPONSE}${suffix}`;
}

/** The id of item `index` of a response's input. */
export const inputItemId = (responseId: string, index: number) =>
  `in_${responseId.slice(RESPONSE.length)}_${index}`;

/** Begins the ids of responses. Engines' own begin otherwise, or are longer. */
export const RESPONSE = "resp_";

/** Whether an id may be that of a response which the gateway keeps. */
export const isOwnResponse = (id: string): boolean => /^resp_[0-9a-z]{16}$/.test(id);

/** Begins the ids of streams that can be resumed, which are kept like responses. */
export const STREAM = "strm_";

/** Whether an id may be that of something which the gateway keeps. */
export const isKept = (id: string): boolean => /^(?:resp|strm|conv)_[0-9a-z]{16}$/.test(id);

const PREFIXES = { message: "msg", reasoning: "rs", function_call: "fc" };

export const messageItem = (id: string, content: readonly OutputText[], status: ItemStatus): MessageItem => ({
  id,
  type: "message",
  role: "assistant",
  status,
  content,
});

export const reasoningItem = (
  id: string,
  parts: readonly ReasoningPart[],
  status: ItemStatus,
): ReasoningItem => ({
  id,
  type: "reasoning",
  summary: parts.filter(({ type }) => type === "summary_text"),
  content: parts.filter(({ type }) => type === "reasoning_text"),
  encrypted_content: null,
  status,
});

export const functionCallItem = (
  id: string,
  { id: call_id, arguments: json, ...names }: Omit<Call, "name"> & FunctionName,
  status: ItemStatus,
): FunctionCallItem => ({ id, type: "function_call", call_id, ...names, arguments: json, status });
