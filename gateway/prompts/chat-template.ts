import { messageOf } from "#runtime";
import { invalidRequest } from "../kernel/errors.ts";
import { isRecord, recordsOf } from "../kernel/json.ts";
import { textOf } from "./content.ts";
import { type Conversation, type Message, PLAIN } from "./conversation.ts";
import { PromptTemplate, withParsedArguments } from "./prompt-template.ts";
import type { ToolDefinition } from "./tool-definitions.ts";
import { withResultsAsText, withToolPrompt } from "./tool-prompt.ts";

export interface ChatTemplate {
  /**
   * The prompt text of a conversation, up to the start of the assistant's answer. Tools, calls and results that the
   * template would ignore are rendered as text.
   * @throws ApiError 400 if the template refuses the conversation, for example because of two user turns in a row
   */
  render(conversation: Conversation): string;
  /** The template's source; empty for a model without one. */
  readonly source: string;
  /** Whether the template describes tools itself, and so in its model's own format. */
  readonly showsTools: boolean;
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
  const hasTextResults = takesTextResults(template);
  const shows = (text: string, messages: readonly Message[], tools?: readonly ToolDefinition[]) =>
    showsText(() => template.render({ ...PLAIN, messages, tools }, hasTextResults), text);
  const showsCalls = shows(CALLED.tool_calls[0]!.function.name, [ASKED, CALLED, ASKED]);
  const showsResults = shows(RESULT.content, [ASKED, CALLED, RESULT]);
  const showsTools = shows(TOOL_NAME, [ASKED], [TOOL]);
  const hasSystem = showsText(
    () => template.render({ ...PLAIN, messages: [SYSTEM, ASKED] }),
    SYSTEM.content,
    false,
  );

  function adapted(conversation: Conversation): Conversation {
    let { messages, tools } = conversation;
    if (!showsCalls) messages = messages.map(withCallsAsText);
    if (!showsResults) messages = withResultsAsText(messages);
    if (showsTools || tools === undefined) return { ...conversation, messages };
    return { ...conversation, messages: withToolPrompt(messages, tools, hasSystem), tools: undefined };
  }

  return {
    source: source ?? "",
    showsTools,
    stops: source === undefined ? DEFAULT_STOPS : [],
    render(conversation) {
      try {
        return template.render(adapted(conversation), hasTextResults);
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

const SYSTEM = { role: "system", content: "probe of the system" };
const TOOL_NAME = "probe_of_tools";
const TOOL: ToolDefinition = {
  type: "function",
  function: { name: TOOL_NAME, description: "", parameters: { type: "object", properties: {} } },
};
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
const RESULT_PART = /"text":\s*"probe of results"/;

/**
 * Whether a template that reads the parts of messages takes results of tools for texts: it fails with their parts, or shows
 * them as JSON.
 */
function takesTextResults(template: PromptTemplate): boolean {
  const fits = (hasTextResults: boolean) => {
    try {
      return !RESULT_PART.test(
        template.render({ ...PLAIN, messages: [ASKED, CALLED, RESULT] }, hasTextResults),
      );
    } catch {
      return false;
    }
  };
  return !fits(false) && fits(true);
}

/**
 * Whether a template renders this text of a conversation. Many templates were written without tools in mind and
 * silently ignore them. A template that throws reports the problem itself.
 */
function showsText(render: () => string, text: string, otherwise = true): boolean {
  try {
    return render().includes(text);
  } catch {
    return otherwise;
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
