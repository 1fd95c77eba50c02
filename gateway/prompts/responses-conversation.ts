import { recordsOf } from "../kernel/json.ts";
import { textOf, textsOf } from "./content.ts";
import { type Conversation, type Message, PLAIN } from "./conversation.ts";
import type { PromptBody } from "./prompt-reader.ts";
import { responsesTools } from "./tool-definitions.ts";

/**
 * Converts a request of OpenAI's Responses API to a chat as vLLM does. In that API, tool calls and results are separate
 * items; consecutive calls become one assistant message. The content of a previous response is not known here.
 */
export function responsesConversation(body: PromptBody): Conversation | undefined {
  const { input, instructions } = body;
  const items = typeof input === "string" ? [{ role: "user", content: input }] : recordsOf(input);
  if (items === undefined) return undefined;
  const messages: Message[] = [];
  if (typeof instructions === "string" && instructions !== "")
    messages.push({ role: "system", content: instructions });
  for (const item of items) append(messages, item);
  return { ...PLAIN, tools: responsesTools(body.tools), messages };
}

function append(messages: Message[], item: Readonly<Record<string, unknown>>): void {
  const { type, role, content, name, call_id } = item;
  if (type === "function_call") {
    const call = { id: call_id, type: "function", function: { name, arguments: item.arguments } };
    extend(messages, "tool_calls", (calls) => [...(Array.isArray(calls) ? calls : []), call]);
  } else if (type === "function_call_output")
    messages.push({ role: "tool", tool_call_id: call_id, content: textOf(item.output) });
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
