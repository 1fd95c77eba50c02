import { messageOf } from "#runtime";
import { invalidRequest } from "../kernel/errors.ts";
import { type Conversation, type Message, PLAIN } from "./conversation.ts";
import { isRecord, recordsOf, textOf } from "./json.ts";
import { PromptTemplate, withParsedArguments } from "./prompt-template.ts";

export interface ChatTemplate {
  /**
   * The prompt text of a conversation, up to the start of the assistant's answer.
   * @throws ApiError 400 if the template refuses the conversation, for example because of two user turns in a row, or
   *   does not support tool results
   */
  render(conversation: Conversation): string;
  /** Stop strings that are needed because the model has no end-of-turn token. */
  readonly stops: readonly string[];
}

/**
 * For models without a chat template, such as base models: plain turns that begin with the role, and a stop string for
 * the start of the user's next turn.
 */
const DEFAULT_TEMPLATE =
  "{% for message in messages %}" +
  "{% if message.role == 'system' %}{{ message.content }}\n\n" +
  "{% else %}{{ message.role | capitalize }}: {{ message.content }}\n{% endif %}" +
  "{% endfor %}Assistant:";
const DEFAULT_STOPS = ["\nUser:"];

/** Compiles a model's template (Jinja, as in Hugging Face's `tokenizer_config.json`), or the default one. */
export function createChatTemplate(
  source: string | undefined,
  specialTokens: { bos?: string | undefined; eos?: string | undefined },
): ChatTemplate {
  const { bos, eos } = specialTokens;
  const template = new PromptTemplate(source ?? DEFAULT_TEMPLATE, { bos, eos });
  const render = (messages: readonly Message[]) => template.render({ ...PLAIN, messages });
  const showsCalls = shows(render, [ASKED, CALLED, ASKED], CALLED.tool_calls[0]!.function.name);
  const showsResults = shows(render, [ASKED, CALLED, RESULT], RESULT.content);
  return {
    stops: source === undefined ? DEFAULT_STOPS : [],
    render(conversation) {
      const { messages } = conversation;
      const result = showsResults ? -1 : messages.findIndex(({ role }) => role === "tool");
      if (result >= 0) throw refused("it does not support tool results.", `messages[${result}]`);
      try {
        return template.render(
          showsCalls ? conversation : { ...conversation, messages: messages.map(withCallsAsText) },
        );
      } catch (error) {
        throw refused(messageOf(error), "messages");
      }
    },
  };
}

const refused = (reason: string, param: string) =>
  invalidRequest(
    `The model's chat template refused the conversation: ${reason}`,
    param,
    "chat_template_refused",
  );

const ASKED = { role: "user", content: "What time is it?" };
const CALLED = {
  role: "assistant",
  content: "",
  tool_calls: [
    // Some templates require an id of nine letters or digits.
    { id: "probe0001", type: "function", function: { name: "probe_of_calls", arguments: "{}" } },
  ],
};
const RESULT = {
  role: "tool",
  tool_call_id: "probe0001",
  name: "probe_of_calls",
  content: "probe of results",
};

/**
 * Whether a template renders this text of a conversation. Many templates were written without tools in mind and
 * silently ignore them. A template that throws reports the problem itself.
 */
function shows(
  render: (messages: readonly Message[]) => string,
  messages: readonly Message[],
  text: string,
): boolean {
  try {
    return render(messages).includes(text);
  } catch {
    return true;
  }
}

/** Appends tool calls to the message's text, in the format that most models use. */
function withCallsAsText(message: Message): Message {
  const calls = recordsOf(message.tool_calls) ?? [];
  if (calls.length === 0) return message;
  const { tool_calls: _, content, ...rest } = message;
  const texts = calls.map((call) => `<tool_call>\n${callText(call)}\n</tool_call>`);
  return { ...rest, content: [textOf(content), ...texts].filter((text) => text !== "").join("\n") };
}

function callText(call: Readonly<Record<string, unknown>>): string {
  const { function: called } = withParsedArguments(call);
  return isRecord(called) ? JSON.stringify({ name: called.name, arguments: called.arguments }) : "";
}
