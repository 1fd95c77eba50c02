import { invalidRequest } from "../kernel/errors.ts";
import { type Conversation, type Message, PLAIN } from "./conversation.ts";
import { isRecord, recordsOf, textOf } from "./json.ts";
import { PromptTemplate, withParsedArguments } from "./prompt-template.ts";

export interface ChatTemplate {
  /**
   * The prompt text of a conversation, ending where the assistant's answer begins.
   * @throws ApiError 400 where the template refuses the conversation (two user turns in a row, say), or has no place
   *   for the results of tools
   */
  render(conversation: Conversation): string;
  /** Stop strings that the template needs because its model has no token that ends a turn. */
  readonly stops: readonly string[];
}

/**
 * For a model that has no chat template of its own, such as a base model: plain turns, each begun with the
 * role's name, and a stop string where the model would go on with the user's next turn.
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
      if (result >= 0) throw refused("it has no place for a tool's result.", `messages[${result}]`);
      try {
        return template.render(
          showsCalls ? conversation : { ...conversation, messages: messages.map(withCallsAsText) },
        );
      } catch (error) {
        throw refused(error instanceof Error ? error.message : String(error), "messages");
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
    // Nine letters or digits: some templates take no other id.
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
 * Whether what a template makes of a conversation has this text in it. Many were written without tools in mind, and
 * would pass over them without a word; one that refuses to show them says so itself.
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

/** The calls of tools behind the message's own text, in the form in which most models write them. */
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
