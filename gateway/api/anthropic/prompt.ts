import { ApiError } from "../../kernel/errors.ts";
import { isRecord } from "../../kernel/json.ts";
import { filesRefused } from "../../media/fields.ts";
import type { RequestMedia } from "../../media/read-media.ts";
import type { WorkerSide } from "../../models/model.ts";
import { messagesConversation } from "../../prompts/messages-conversation.ts";
import { type ChatPrompt, readChat } from "../openai/chat-prompt.ts";
import type { PromptKinds } from "../openai/own-media.ts";
import type { StructuredFields } from "../openai/structured-output.ts";
import { type AllowedCalls, chosenCalls, refuseBuiltInTools } from "../openai/tool-choice.ts";
import { refuseUnsupported } from "../openai/validate.ts";
import { asChat, type FieldNames } from "../translation/field-names.ts";
import type { CountTokensRequest } from "./schemas.ts";
import { isText, withDocumentsAsText } from "./text-documents.ts";

/** How Messages call the fields of chats. */
export const FIELD_NAMES: FieldNames = [
  [/^messages.*/, "messages"],
  [/^stop/, "stop_sequences"],
  [/^response_format(\.json_schema)?/, "output_config.format"],
  [/^tools\[(\d+)\]\.function\.parameters/, "tools[$1].input_schema"],
  [/^tools\[(\d+)\]\.function/, "tools[$1]"],
  [/^tool_choice\.function\.name/, "tool_choice.name"],
];

/**
 * Renders and tokenizes the conversation of a request.
 * @param maxTokens longest answer in tokens; undefined for as long as the context allows
 * @param media those of the conversation; default: none
 * @throws ApiError 400 if it does not fit, or the template refuses it
 */
export function readMessages(
  model: WorkerSide,
  body: CountTokensRequest,
  maxTokens?: number,
  media?: RequestMedia,
): Promise<ChatPrompt> {
  const messages = withDocumentsAsText(body.messages);
  const conversation = messagesConversation({ ...body, messages }, "in-results")!;
  return asChat(FIELD_NAMES, () =>
    readChat(model, {
      conversation: { ...conversation, templateArguments: thinkingArguments(body) },
      calls: callsOf(body),
      maxTokens,
      structured: structuredOf(body),
      param: "messages",
      media,
    }),
  );
}

/** The variables by which templates turn reasoning on and off. */
function thinkingArguments({ thinking }: CountTokensRequest): Record<string, unknown> {
  if (!thinking) return {};
  const isOn = thinking.type !== "disabled";
  return { enable_thinking: isOn, thinking: isOn };
}

/** Refuses tools that run elsewhere than at the client. @throws ApiError 400; an engine may have them */
export function refuseServerTools(raw: unknown): void {
  refuseBuiltInTools(raw, ["custom"]);
  refuseUnsupported(raw, {
    container: "No code runs here. Leave it out.",
    mcp_servers: "Connect to MCP servers in the client, and send their tools in 'tools'.",
  });
}

function callsOf({ tools, tool_choice: choice }: CountTokensRequest): AllowedCalls {
  const all = (tools ?? []).map(({ name, input_schema, strict }) => ({
    name,
    parameters: input_schema,
    isStrict: strict === true,
  }));
  const isParallel = !(choice && "disable_parallel_tool_use" in choice && choice.disable_parallel_tool_use);
  return chosenCalls(all, isParallel, choiceOf(choice), "tool_choice.name");
}

/** A choice of tools as in a chat completion. */
export function choiceOf(choice: CountTokensRequest["tool_choice"]) {
  switch (choice?.type) {
    case "any":
      return "required";
    case "tool":
      return { type: "function" as const, function: { name: choice.name } };
    default:
      return choice?.type;
  }
}

/** The format of the answer, as in a chat completion. */
export function structuredOf({ output_config, output_format }: CountTokensRequest): StructuredFields {
  const format = output_config?.format ?? output_format;
  if (!format) return {};
  return { response_format: { type: "json_schema", json_schema: { name: "answer", schema: format.schema } } };
}

const CONTENT = new Set(["text", "thinking", "redacted_thinking", "tool_use", "tool_result"]);
const WITH_IMAGES = new Set([...CONTENT, "image"]);

const FILE_ADVICE = "the data in a source of type 'base64', or an address in one of type 'url'";

/** What a document's text may consist of. */
const DOCUMENT_CONTENT = new Set(["text"]);

/** Refuses images and the like as unsupported, not as invalid: an engine of the same model may accept them. */
export const refuseMedia = (raw: unknown, kinds: PromptKinds = []): void =>
  kinds.includes("image")
    ? refuseBlocks(raw, WITH_IMAGES, "are not supported by this model's workers", "Send text and images.")
    : refuseBlocks(raw, CONTENT, "are not supported by this model's workers", "Send only text.");

/** Refuses what no chat completion can say. */
export const refuseUnknownBlocks = (raw: unknown): void =>
  refuseBlocks(raw, WITH_IMAGES, "cannot be translated for this model's engines", "Send text and images.");

function refuseBlocks(raw: unknown, known: ReadonlySet<string>, problem: string, advice: string): void {
  const messages: unknown = Reflect.get(Object(raw), "messages");
  if (!Array.isArray(messages)) return;
  for (const [index, message] of messages.entries())
    refuseIn(Reflect.get(Object(message), "content"), `messages[${index}].content`, known);

  function refuseIn(content: unknown, path: string, taken: ReadonlySet<string>): void {
    if (!Array.isArray(content)) return;
    for (const [index, block] of content.entries()) {
      if (!isRecord(block) || typeof block.type !== "string") continue;
      const { type, source } = block;
      const param = `${path}[${index}]`;
      if (type === "tool_result") refuseIn(block.content, `${param}.content`, taken);
      const isTextDocument = type === "document" && taken !== DOCUMENT_CONTENT && isText(source);
      if (isTextDocument)
        refuseIn(Reflect.get(Object(source), "content"), `${param}.source.content`, DOCUMENT_CONTENT);
      else if (!taken.has(type)) throw refused(type, param);
      else if (isRecord(source) && source.type === "file") throw filesRefused(`${param}.source`, FILE_ADVICE);
    }
  }

  function refused(type: string, param: string): ApiError {
    const isFile = type === "document";
    const what = `Content blocks of type '${type.slice(0, 100)}'${isFile ? " with a file" : ""}`;
    const text = `${what} ${problem} (${param}). ${advice}${isFile ? " A document's text can be in a source of type 'text'." : ""}`;
    return new ApiError(400, "invalid_request_error", text, { param, code: "unsupported_parameter" });
  }
}
