import { randomId } from "#runtime";
import type { PlainItem } from "../responses/schemas.ts";
import type { KeptItem } from "./changes.ts";

/** What the ids of items begin with. */
const PREFIXES = { message: "msg", function_call: "fc", function_call_output: "fco", reasoning: "rs" };

/** An item with all the fields that clients expect of those they retrieve. */
export function keptItem(item: PlainItem): KeptItem {
  const { type = "message" } = item;
  const common = { id: item.id ?? `${PREFIXES[type]}_${randomId()}`, status: item.status ?? "completed" };
  if (item.type === "reasoning") return { ...item, ...common, summary: item.summary ?? [] };
  if (item.type === "function_call" || item.type === "function_call_output") return { ...item, ...common };
  return { ...item, ...common, type: "message", content: partsOf(item) };
}

type Message = Extract<PlainItem, { role: string }>;

function partsOf({ role, content }: Message): Exclude<Message["content"], string> {
  const type = role === "assistant" ? "output_text" : "input_text";
  const parts: Exclude<Message["content"], string> =
    typeof content === "string" ? [{ type, text: content }] : content;
  return parts.map((part) => {
    if (part.type !== "output_text") return part;
    return { ...part, annotations: part.annotations ?? [], logprobs: part.logprobs ?? [] };
  });
}
