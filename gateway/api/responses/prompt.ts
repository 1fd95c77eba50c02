import { ApiError } from "../../kernel/errors.ts";
import { given, isRecord } from "../../kernel/json.ts";
import { dataMissing, filesRefused } from "../../media/fields.ts";
import type { RequestMedia } from "../../media/read-media.ts";
import type { WorkerSide } from "../../models/model.ts";
import type { Conversation, ResultPictures } from "../../prompts/conversation.ts";
import { responsesConversation } from "../../prompts/responses-conversation.ts";
import { type ChatPrompt, readChat } from "../openai/chat-prompt.ts";
import type { StructuredFields } from "../openai/structured-output.ts";
import { type AllowedCalls, chosenCalls } from "../openai/tool-choice.ts";
import { asChat, type FieldNames } from "../translation/field-names.ts";
import type { InputItem, InputTokensRequest } from "./schemas.ts";
import { forModel, functionsOf } from "./tools.ts";

/** How Responses call the fields of chats. */
export const FIELD_NAMES: FieldNames = [
  [/^messages.*/, "input"],
  [/^max_tokens/, "max_output_tokens"],
  [/^reasoning_effort/, "reasoning.effort"],
  [/^response_format(\.json_schema)?/, "text.format"],
  [/^tools\[(\d+)\]\.function/, "tools[$1]"],
  [/^tool_choice\.function\.name/, "tool_choice.name"],
];

/**
 * Renders and tokenizes a conversation.
 * @param items the whole conversation
 * @param media those of the conversation; default: none, so that it may have no images
 * @throws ApiError 400 if it does not fit, or the template refuses it
 */
export async function readResponse(
  model: WorkerSide,
  body: InputTokensRequest,
  items: readonly InputItem[],
  maxTokens?: number | null,
  media?: RequestMedia,
): Promise<ChatPrompt> {
  if (media === undefined || media.size === 0) refuseImages(items, body);
  const calls = callsOf(body);
  const structured = structuredOf(body);
  for (let kept = items; ; kept = withoutOldest(kept)) {
    try {
      const chat = {
        conversation: conversationOf(body, kept, "in-results"),
        calls,
        maxTokens,
        structured,
        param: "input",
        media,
      };
      return await asChat(FIELD_NAMES, () => readChat(model, chat));
    } catch (error) {
      const isTooLong = error instanceof ApiError && error.code === "context_length_exceeded";
      if (!isTooLong || body.truncation !== "auto" || withoutOldest(kept).length === 0) throw error;
    }
  }
}

/** The format of the text, as in a chat completion, where it is nested one level deeper. */
export function structuredOf({ text, ...body }: InputTokensRequest): StructuredFields {
  const { structured_outputs, guided_json, guided_regex, guided_choice, guided_grammar } = body;
  const others = given({ structured_outputs, guided_json, guided_regex, guided_choice, guided_grammar });
  const format = text?.format;
  if (!format || format.type === "text") return others;
  if (format.type === "json_object") return { ...others, response_format: { type: format.type } };
  const { type, ...schema } = format;
  return { ...others, response_format: { type, json_schema: schema } };
}

/** A conversation as a chat. @param pictures of the functions' results */
export function conversationOf(
  body: InputTokensRequest,
  items: readonly InputItem[],
  pictures: ResultPictures,
): Conversation {
  const { effort } = body.reasoning ?? {};
  const input = items.map(forModel);
  const conversation = responsesConversation({ ...body, tools: functionsOf(body), input }, pictures)!;
  return {
    ...conversation,
    messages: conversation.messages.map((message) =>
      message.role === "developer" ? { ...message, role: "system" } : message,
    ),
    templateArguments: {
      ...(effort && { reasoning_effort: effort }),
      ...(effort === "none" && { enable_thinking: false, thinking: false }),
    },
  };
}

/** Leaves out the oldest tenth, but no system prompt, and no call's result without the call. */
export function withoutOldest(items: readonly InputItem[]): readonly InputItem[] {
  const isSystem = (item: InputItem) =>
    "role" in item && (item.role === "system" || item.role === "developer");
  const system = items.filter(isSystem);
  const rest = items.filter((item) => !isSystem(item));
  const count = Math.max(1, Math.floor(rest.length / 10));
  const kept = rest.slice(count);
  const first = kept.findIndex((item) => item.type !== "function_call_output");
  return first < 0 ? [] : [...system, ...kept.slice(first)];
}

function callsOf(body: InputTokensRequest): AllowedCalls {
  const { tool_choice: choice, parallel_tool_calls } = body;
  const all = functionsOf(body).map(({ name, parameters, strict }) => ({
    name,
    parameters: parameters ?? undefined,
    isStrict: strict === true,
  }));
  return chosenCalls(all, parallel_tool_calls !== false, choiceOf(choice), "tool_choice.name");
}

/** A choice of tools as in a chat completion. */
export function choiceOf(choice: InputTokensRequest["tool_choice"]) {
  if (typeof choice !== "object" || choice === null) return choice;
  if (choice.type === "function") return { type: choice.type, function: { name: choice.name } };
  const tools = choice.tools.map(({ name }) => ({ type: "function" as const, function: { name } }));
  return { type: choice.type, allowed_tools: { mode: choice.mode, tools } };
}

const ITEMS = new Set(["message", "function_call", "function_call_output", "reasoning", "item_reference"]);
const IMAGE = "input_image";
const PARTS = new Set([
  "input_text",
  "output_text",
  "text",
  "reasoning_text",
  "summary_text",
  "refusal",
  IMAGE,
]);

/** Refuses images as unsupported, not as invalid: an engine may accept them. */
function refuseImages(items: readonly InputItem[], { input }: InputTokensRequest): void {
  for (const item of items) {
    const parts = partsOf(item);
    if (typeof parts === "string" || !parts.some(({ type }) => type === IMAGE)) continue;
    if (typeof input !== "string" && input.includes(item)) throw unsupported(IMAGE, "input");
    const named = item.id ? `, '${item.id}',` : "";
    throw new ApiError(
      400,
      "invalid_request_error",
      `An item of the conversation${named} has an image, which this model's workers do not support. Remove the item, or start another conversation.`,
      { param: "conversation", code: "unsupported_parameter" },
    );
  }
}

/** The content of a message, or the output of a function. */
function partsOf(item: InputItem): string | readonly { readonly type: string }[] {
  if (item.type === "function_call_output") return item.output;
  return item.type === undefined || item.type === "message" ? item.content : "";
}

/** Refuses items and media that nothing here can take as unsupported, not as invalid: an engine may accept them. */
export function refuseUnsupportedItems(raw: unknown, name: "input" | "items" = "input"): void {
  const items: unknown = Reflect.get(Object(raw), name);
  if (!Array.isArray(items)) return;
  for (const [index, item] of items.entries()) {
    if (!isRecord(item)) continue;
    refuseType(item.type, ITEMS, `${name}[${index}]`);
    for (const field of ["content", "output"]) {
      const parts = item[field];
      if (!Array.isArray(parts)) continue;
      for (const [at, part] of parts.entries())
        if (isRecord(part)) refusePart(part, `${name}[${index}].${field}[${at}]`);
    }
  }
}

const FILE_ADVICE = "the image in 'image_url', as data:… or as a URL";

function refusePart(part: Readonly<Record<string, unknown>>, param: string): void {
  refuseType(part.type, PARTS, param);
  if (part.type !== IMAGE || typeof part.image_url === "string") return;
  if (typeof part.file_id === "string") throw filesRefused(`${param}.file_id`, FILE_ADVICE);
  if (part.image_url === null) throw dataMissing(`${param}.image_url`);
}

function refuseType(type: unknown, known: ReadonlySet<string>, param: string): void {
  if (typeof type === "string" && !known.has(type)) throw unsupported(type, param);
}

function unsupported(type: string, param: string): ApiError {
  const text = `Items of type '${type.slice(0, 100)}' are not supported (${param}).`;
  return new ApiError(400, "invalid_request_error", text, { param, code: "unsupported_parameter" });
}
