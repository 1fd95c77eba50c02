import { textOf } from "./content.ts";
import type { Message } from "./conversation.ts";
import type { ToolDefinition } from "./tool-definitions.ts";

/**
 * Describes the tools in the system prompt, for templates that ignore them, and asks for calls in the format that most
 * models know: `<tool_call>{"name": …, "arguments": {…}}</tool_call>`.
 * @param hasSystem whether the template renders system prompts; if not, the first message gets it
 */
export function withToolPrompt(
  messages: readonly Message[],
  tools: readonly ToolDefinition[],
  hasSystem: boolean,
): Message[] {
  const description = describe(tools);
  const [first, ...rest] = messages;
  if (first === undefined || (hasSystem && first.role !== "system"))
    return [{ role: "system", content: description }, ...messages];
  const parts = [textOf(first.content), description];
  const content = (first.role === "system" ? parts : parts.toReversed()).filter((part) => part !== "");
  return [{ ...first, content: content.join("\n\n") }, ...rest];
}

const describe = (tools: readonly ToolDefinition[]) => `# Tools

You can call these functions. Each line describes one in JSON:
<tools>
${tools.map((tool) => JSON.stringify(tool)).join("\n")}
</tools>

To call a function, write its name and arguments as JSON between two tags, and nothing else:
<tool_call>
{"name": "the function's name", "arguments": {"a parameter": "its value"}}
</tool_call>`;

/** Turns the results of tools into messages of the user, for templates that ignore them; those in a row into one. */
export function withResultsAsText(messages: readonly Message[]): Message[] {
  const all: Message[] = [];
  let isAfterResult = false;
  for (const message of messages) {
    const isResult = message.role === "tool";
    const text = isResult ? `<tool_response>\n${textOf(message.content)}\n</tool_response>` : "";
    const last = all.at(-1);
    if (isResult && isAfterResult && last !== undefined)
      all[all.length - 1] = { ...last, content: `${textOf(last.content)}\n${text}` };
    else all.push(isResult ? { role: "user", content: text } : message);
    isAfterResult = isResult;
  }
  return all;
}
