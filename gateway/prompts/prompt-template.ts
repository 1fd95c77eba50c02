import { Template } from "@huggingface/jinja";
import { isRecord } from "../kernel/json.ts";
import { textOf } from "./content.ts";
import type { Conversation, Message } from "./conversation.ts";
import { mediaKindOf } from "./prompt-media.ts";

export interface SpecialTexts {
  readonly bos: string | undefined;
  readonly eos: string | undefined;
}

/** Renders chats like engines that use the template from the same model folder. */
export class PromptTemplate {
  readonly #template: Template;
  readonly #specialTexts: SpecialTexts;
  /** Whether the template iterates over content parts itself; if not, it gets their text. */
  readonly #readsParts: boolean;

  /** @throws Error if the source is not a valid Jinja template */
  constructor(source: string, specialTexts: SpecialTexts) {
    this.#template = new Template(source);
    this.#specialTexts = specialTexts;
    this.#readsParts = READS_PARTS.test(source);
  }

  /**
   * @param hasTextResults whether results of tools are texts even for a template that reads the parts of other messages
   * @throws Error if the template refuses the conversation
   */
  render(conversation: Conversation, hasTextResults = false): string {
    const { tools, templateArguments, addsGenerationPrompt, continuesFinalMessage } = conversation;
    const messages = conversation.messages.map((message) =>
      this.#adapted(message, this.#readsParts && !(hasTextResults && message.role === "tool")),
    );
    const text = this.#template.render({
      ...templateArguments,
      messages,
      ...(tools !== undefined && { tools }),
      add_generation_prompt: addsGenerationPrompt && !continuesFinalMessage,
      bos_token: this.#specialTexts.bos ?? "",
      eos_token: this.#specialTexts.eos ?? "",
    });
    return continuesFinalMessage ? upToFinalMessage(text, messages.at(-1)) : text;
  }

  /** The message in the form that vLLM and SGLang pass to templates. */
  #adapted(message: Message, hasParts: boolean): Record<string, unknown> {
    const { content, tool_calls: calls } = message;
    const isText = typeof content === "string";
    let adapted: unknown = content ?? "";
    if (hasParts && isText) adapted = [{ type: "text", text: content }];
    else if (hasParts && Array.isArray(content)) adapted = content.map(templatePart);
    else if (!hasParts) adapted = textOf(content);
    return {
      ...message,
      content: adapted,
      ...(Array.isArray(calls) &&
        calls.length > 0 && {
          tool_calls: calls.map((call: unknown) => (isRecord(call) ? withParsedArguments(call) : call)),
        }),
    };
  }
}

/** A content part as templates know it: of a medium, only its kind. */
function templatePart(part: unknown): unknown {
  const kind = mediaKindOf(part);
  if (kind !== undefined) return { type: kind };
  return isRecord(part) && typeof part.text === "string" ? { ...part, type: "text" } : part;
}

/** Matches a loop over a message's content. */
const READS_PARTS = /for\s+\w+\s+in\s+\w+(?:\.content|\[\s*['"]content['"]\s*\])/;

/** A tool call with parsed arguments, as templates expect; in the API they are text. */
export function withParsedArguments(call: Readonly<Record<string, unknown>>): Record<string, unknown> {
  if (!isRecord(call.function)) return call;
  const { arguments: text } = call.function;
  if (typeof text !== "string") return call;
  // vLLM treats empty arguments as an empty object.
  if (text === "") return { ...call, function: { ...call.function, arguments: {} } };
  try {
    return { ...call, function: { ...call.function, arguments: JSON.parse(text) } };
  } catch {
    return call;
  }
}

/** Like Hugging Face's `continue_final_message`, drops everything after the last message's text. */
function upToFinalMessage(text: string, last: Record<string, unknown> | undefined): string {
  const content = textOf(last?.content).trim();
  const at = content === "" ? -1 : text.lastIndexOf(content);
  return at < 0 ? text : text.slice(0, at + content.length);
}
