import { isRecord, recordsOf } from "../kernel/json.ts";
import { hasBillingHeader } from "./billing-header.ts";
import { textOf, textsOf } from "./content.ts";
import { type Conversation, type Message, PLAIN } from "./conversation.ts";
import type { PromptBody } from "./prompt-reader.ts";
import { messagesTools } from "./tool-definitions.ts";

/**
 * Converts a request of Anthropic's Messages API to a chat as vLLM does. In that API, the system prompt is a separate
 * field, and tool calls and results are content blocks.
 * @param hasImages whether the chat has the request's images
 */
export function messagesConversation(body: PromptBody, hasImages = false): Conversation | undefined {
  const messages = recordsOf(body.messages);
  if (messages === undefined) return undefined;
  const system = systemText(body.system);
  return {
    ...PLAIN,
    tools: messagesTools(body.tools),
    messages: [
      ...(system === "" ? [] : [{ role: "system", content: system }]),
      ...messages.flatMap(({ role, content }) => chatMessages(role, content, hasImages)),
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
function chatMessages(role: unknown, content: unknown, hasImages: boolean): Message[] {
  const blocks = recordsOf(content);
  if (blocks === undefined) return [{ role, content }];
  const ofType = (type: string) => blocks.filter((block) => block.type === type);
  const results = ofType("tool_result").map((block) => ({
    role: "tool",
    tool_call_id: block.tool_use_id ?? "",
    content: textOf(block.content),
  }));
  const calls = ofType("tool_use").map(({ id, name, input }) => ({
    id,
    type: "function",
    function: { name, arguments: JSON.stringify(input ?? {}) },
  }));
  const thoughts = ofType("thinking").flatMap(({ thinking }) =>
    typeof thinking === "string" ? thinking : [],
  );
  const text = textsOf(ofType("text")).filter((part) => part !== "");
  // A tool's result is only text in a chat.
  const inResults = ofType("tool_result").flatMap((block) => recordsOf(block.content) ?? []);
  const images = hasImages ? [...inResults, ...blocks].flatMap(imagePart) : [];
  const rest = blocks.length > results.length || images.length > 0;
  if (!rest) return results;
  return [
    ...results,
    {
      role,
      content:
        images.length === 0
          ? text.join("\n")
          : [...images, ...text.map((part) => ({ type: "text", text: part }))],
      ...(thoughts.length > 0 && { reasoning: thoughts.join("") }),
      ...(calls.length > 0 && { tool_calls: calls }),
    },
  ];
}

/** An image as a part of a chat's message. */
function imagePart({ type, source }: Readonly<Record<string, unknown>>): object[] {
  if (type !== "image" || !isRecord(source)) return [];
  const url = source.type === "base64" ? `data:${source.media_type};base64,${source.data}` : source.url;
  return [{ type: "image_url", image_url: { url } }];
}
