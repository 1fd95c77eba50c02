import { recordsOf } from "../kernel/json.ts";
import { textOf, textsOf } from "./content.ts";
import { type Conversation, type Message, PLAIN, type ResultPictures } from "./conversation.ts";
import { mediaKindOf } from "./prompt-media.ts";
import type { PromptBody } from "./prompt-reader.ts";
import { responsesTools } from "./tool-definitions.ts";

/**
 * Converts a request of OpenAI's Responses API to a chat as vLLM does. In that API, tool calls and results are separate
 * items; consecutive calls become one assistant message. The content of a previous response is not known here.
 * @param pictures of results of functions; default: none, only the results' text
 */
export function responsesConversation(body: PromptBody, pictures?: ResultPictures): Conversation | undefined {
  const { input, instructions } = body;
  const items = typeof input === "string" ? [{ role: "user", content: input }] : recordsOf(input);
  if (items === undefined) return undefined;
  const messages: Message[] = [];
  if (typeof instructions === "string" && instructions !== "")
    messages.push({ role: "system", content: instructions });
  for (const item of items) append(messages, item, pictures !== undefined);
  return {
    ...PLAIN,
    tools: responsesTools(body.tools),
    messages: pictures === "after-results" ? withPicturesAfterResults(messages) : messages,
  };
}

function append(
  messages: Message[],
  item: Readonly<Record<string, unknown>>,
  hasResultPictures: boolean,
): void {
  const { type, role, content, name, call_id } = item;
  if (type === "function_call") {
    const call = { id: call_id, type: "function", function: { name, arguments: item.arguments } };
    extend(messages, "tool_calls", (calls) => [...(Array.isArray(calls) ? calls : []), call]);
  } else if (type === "function_call_output")
    messages.push({
      role: "tool",
      tool_call_id: call_id,
      content: (hasResultPictures ? partsWithImages(item.output) : undefined) ?? textOf(item.output),
    });
  else if (type === "reasoning") {
    const [text = ""] = [...textsOf(content), ...textsOf(item.summary)];
    extendOnce(messages, "reasoning", text);
  } else if (role === "assistant") {
    const text = typeof content === "string" ? content : (textsOf(content)[0] ?? "");
    extendOnce(messages, "content", text);
  } else if (typeof role === "string")
    messages.push({ role, content: partsWithImages(content) ?? textOf(content) });
}

/** Content with images as parts of a chat's message; undefined if it has none. */
function partsWithImages(content: unknown): object[] | undefined {
  const parts = Array.isArray(content) ? (recordsOf(content) ?? []) : [];
  if (!parts.some(({ type }) => type === "input_image")) return undefined;
  return parts.map(({ type, image_url: url, detail, text }) =>
    type === "input_image"
      ? { type: "image_url", image_url: { url, ...(detail ? { detail } : undefined) } }
      : { type: "text", text },
  );
}

/** Moves the pictures of results that follow one another into a user's message after them. */
function withPicturesAfterResults(messages: readonly Message[]): Message[] {
  const all: Message[] = [];
  let pictures: unknown[] = [];
  const show = () => {
    if (pictures.length > 0) all.push({ role: "user", content: pictures });
    pictures = [];
  };
  for (const message of messages) {
    if (message.role !== "tool") show();
    else if (Array.isArray(message.content)) {
      pictures.push(...message.content.filter((part: unknown) => mediaKindOf(part) !== undefined));
      all.push({ ...message, content: textOf(message.content) });
      continue;
    }
    all.push(message);
  }
  show();
  return all;
}

/** Adds a field to a final assistant message, or starts a new message if it already has that field. */
function extendOnce(messages: Message[], field: string, value: string): void {
  const last = messages.at(-1);
  if (last?.role === "assistant" && last[field] === undefined) extend(messages, field, () => value);
  else messages.push({ role: "assistant", [field]: value });
}

function extend(messages: Message[], field: string, change: (before: unknown) => unknown): void {
  const last = messages.at(-1);
  if (last?.role === "assistant") messages[messages.length - 1] = { ...last, [field]: change(last[field]) };
  else messages.push({ role: "assistant", [field]: change(undefined) });
}
