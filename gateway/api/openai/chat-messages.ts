import { ApiError, invalidRequest } from "../../kernel/errors.ts";
import { given, isRecord } from "../../kernel/json.ts";
import { dataMissing } from "../../media/fields.ts";
import type { Message } from "../../prompts/conversation.ts";
import { MOST_MESSAGES } from "../../prompts/limits.ts";
import type { PromptKinds } from "./own-media.ts";
import type { ChatMessage } from "./schemas.ts";
import { refuseBuiltInTools } from "./tool-choice.ts";

/**
 * Refuses a conversation that workers cannot read, before its messages are validated one by one.
 * @param kinds of media that the model takes
 * @throws ApiError 400; an engine of the same model may accept it
 */
export function checkMessages(raw: unknown, kinds: PromptKinds = []): void {
  refuseTooManyMessages(raw);
  refuseMedia(raw, kinds);
  refuseBuiltInTools(raw, ["function"]);
}

/** The message as chat templates expect it. */
export function templateMessage({ role, content, ...rest }: ChatMessage): Message {
  return {
    ...given(rest),
    // OpenAI renamed the role; chat templates only know the old name.
    role: role === "developer" ? "system" : role,
    content: content ?? "",
  };
}

/** Refuses images and the like as unsupported, not as invalid: an engine of the same model may accept them. */
function refuseMedia(raw: unknown, kinds: PromptKinds): void {
  const types = ["text", ...kinds.flatMap((kind) => PARTS[kind])];
  const messages: unknown = Reflect.get(Object(raw), "messages");
  if (!Array.isArray(messages)) return;
  for (const [index, message] of messages.entries()) {
    const content: unknown = Reflect.get(Object(message), "content");
    if (!Array.isArray(content)) continue;
    for (const [at, part] of content.entries()) requireData(part, types, `messages[${index}].content[${at}]`);
    const part = content.findIndex((each) => ![...types, "undefined"].includes(typeOf(each)));
    if (part === -1) continue;
    const text = `Content parts of type '${typeOf(content[part])}' are not supported by this model's workers. Send only ${types.map((type) => `'${type}'`).join(", ")}.`;
    const param = `messages[${index}].content[${part}]`;
    throw new ApiError(400, "invalid_request_error", text, { param, code: "unsupported_parameter" });
  }
}

/** The types of content parts with media. */
const PARTS: Record<PromptKinds[number], readonly string[]> = {
  image: ["image_url"],
  audio: ["input_audio", "audio_url"],
  video: ["video_url"],
};

/** vLLM would take the medium of such a part from its cache, by the part's `uuid`. */
function requireData(part: unknown, types: readonly string[], path: string): void {
  const type = typeOf(part);
  if (!isRecord(part) || type === "text" || !types.includes(type)) return;
  const isNamed = part[type] === undefined && "uuid" in part;
  if (isNamed || part[type] === null || part[type] === "") throw dataMissing(`${path}.${type}`);
}

function typeOf(part: unknown): string {
  const type: unknown = Reflect.get(Object(part), "type");
  return typeof type === "string" ? type.slice(0, 100) : "undefined";
}

function refuseTooManyMessages(raw: unknown): void {
  const messages: unknown = Reflect.get(Object(raw), "messages");
  if (!Array.isArray(messages) || messages.length <= MOST_MESSAGES) return;
  throw invalidRequest(
    `Invalid value for 'messages': it has ${messages.length} messages; at most ${MOST_MESSAGES} are allowed.`,
    "messages",
    "array_above_max_length",
  );
}
