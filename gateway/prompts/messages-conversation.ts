import { isRecord, recordsOf } from "../kernel/json.ts";
import { hasBillingHeader } from "./billing-header.ts";
import { textOf, textsOf } from "./content.ts";
import { type Conversation, type Message, PLAIN, type ResultPictures } from "./conversation.ts";
import type { PromptBody } from "./prompt-reader.ts";
import { messagesTools } from "./tool-definitions.ts";

/**
 * Converts a request of Anthropic's Messages API to a chat as vLLM does. In that API, the system prompt is a separate
 * field, and tool calls and results are content blocks.
 * @param pictures default: where vLLM has them
 */
export function messagesConversation(
  body: PromptBody,
  pictures: ResultPictures = "after-results",
): Conversation | undefined {
  const messages = recordsOf(body.messages);
  if (messages === undefined) return undefined;
  const system = systemText(body.system);
  return {
    ...PLAIN,
    tools: messagesTools(body.tools),
    messages: [
      ...(system === "" ? [] : [{ role: "system", content: system }]),
      ...messages.flatMap(({ role, content }) => chatMessages(role, content, pictures)),
    ],
  };
}

/** Without Claude Code's billing header, which vLLM removes too. */
function systemText(system: unknown): string {
  if (typeof system === "string") return system;
  return textsOf(system)
    .filter((text) => !hasBillingHeader(text))
    .join("");
}

/** The tool results in a message, followed by the message itself. */
function chatMessages(role: unknown, content: unknown, pictures: ResultPictures): Message[] {
  const blocks = recordsOf(content);
  if (blocks === undefined) return [{ role, content }];
  const ofType = (type: string) => blocks.filter((block) => block.type === type);
  const results = ofType("tool_result").map((block) => ({
    role: "tool",
    tool_call_id: block.tool_use_id ?? "",
    content: pictures === "in-results" ? resultContent(block.content) : textOf(block.content),
  }));
  const calls = ofType("tool_use").map(({ id, name, input }) => ({
    id,
    type: "function",
    function: { name, arguments: JSON.stringify(input ?? {}) },
  }));
  const thoughts = ofType("thinking").flatMap(({ thinking }) =>
    typeof thinking === "string" ? thinking : [],
  );
  const moved =
    pictures === "in-results" ? [] : ofType("tool_result").flatMap((block) => recordsOf(block.content) ?? []);
  const parts = [...moved.filter(({ type }) => type !== "text"), ...blocks].flatMap(partsOf);
  const rest = blocks.length > results.length || parts.length > 0;
  if (!rest) return results;
  return [
    ...results,
    {
      role,
      content: parts.every(({ type }) => type === "text") ? textsOf(parts).join("\n") : parts,
      ...(thoughts.length > 0 && { reasoning: thoughts.join("") }),
      ...(calls.length > 0 && { tool_calls: calls }),
    },
  ];
}

/** A result's text, or its parts if it has others. */
function resultContent(content: unknown): string | Block[] {
  const blocks = Array.isArray(content) ? (recordsOf(content) ?? []) : [];
  return blocks.some(({ type }) => type !== "text") ? blocks.flatMap(partsOf) : textOf(content);
}

type Block = Readonly<Record<string, unknown>>;

/** A block as parts of a chat's message; none for what a chat has elsewhere. */
function partsOf({ type, text, source, title }: Block): Block[] {
  if (type === "text") return typeof text === "string" && text !== "" ? [{ type, text }] : [];
  if (!isRecord(source)) return [];
  if (type === "image") return [{ type: "image_url", image_url: { url: urlOf(source) } }];
  return type === "document" ? documentParts(source, title) : [];
}

/** A document's text, or the file itself. */
function documentParts(source: Block, title: unknown): Block[] {
  const { type, data, content } = source;
  if (type === "text") return typeof data === "string" ? [{ type, text: data }] : [];
  if (type === "content")
    return typeof content === "string"
      ? [{ type: "text", text: content }]
      : (recordsOf(content) ?? []).flatMap(partsOf);
  const filename = typeof title === "string" ? title : "document.pdf";
  return [{ type: "file", file: { file_data: urlOf(source), filename } }];
}

const urlOf = ({ type, media_type, data, url }: Block) =>
  type === "base64" ? `data:${media_type};base64,${data}` : url;
