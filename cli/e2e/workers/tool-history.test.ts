import { beforeAll, expect, test } from "vitest";
import { openEcho } from "../../../workers/echo/engine.ts";
import { type OwnGateway, startOwnGateway } from "./own-gateway.ts";

/** The echo answers with the prompt that the gateway rendered. */
let gateway: OwnGateway;

const TEMPLATE =
  "{% for m in messages %}<{{ m.role }}>{% if m.tool_calls %}{{ m.tool_calls | tojson }}{% endif %}" +
  "{{ m.content }}{% if m.tool_call_id %}({{ m.tool_call_id }} {{ m.name }}){% endif %}{% endfor %}";

beforeAll(async () => {
  const echo = openEcho();
  gateway = await startOwnGateway({ echo: { ...echo, card: { ...echo.card, chatTemplate: TEMPLATE } } });
});

const calls = (fields: object = {}) => [
  { id: "c1", type: "function", function: { name: "time", arguments: '{"zone":"UTC"}', ...fields } },
];

async function ask(...messages: object[]) {
  const response = await gateway.post("/v1/chat/completions", {
    model: "echo",
    messages: [{ role: "user", content: "Hi" }, ...messages],
    max_tokens: 500,
    stop: "<end>",
  });
  return { status: response.status, ...(await response.json()) };
}

test("calls and results are in the prompt, also if the message has no content", async () => {
  const result = {
    role: "tool",
    tool_call_id: "c1",
    name: "time",
    content: [{ type: "text", text: "12:00" }],
  };
  const { choices } = await ask({ role: "assistant", content: null, tool_calls: calls() }, result, {
    role: "user",
    content: "<end>",
  });
  const shown =
    '[{"id": "c1", "type": "function", "function": {"name": "time", "arguments": {"zone": "UTC"}}}]';
  expect(choices[0].message.content).toBe(`<user>Hi<assistant>${shown}<tool>12:00(c1 time)<user>`);
});

test.each([
  [{ name: 5 }, "messages[1].tool_calls[0].function.name"],
  [{ arguments: 5 }, "messages[1].tool_calls[0].function.arguments"],
])("a call with %j is refused", async (fields, param) => {
  const { status, error } = await ask({ role: "assistant", tool_calls: calls(fields) });
  expect([status, error.param]).toEqual([400, param]);
});

test("the deprecated form of calls is refused, naming the new one", async () => {
  const { status, error } = await ask({ role: "assistant", function_call: { name: "f", arguments: "{}" } });
  expect([status, error.param]).toEqual([400, "messages[1].function_call"]);
  expect(error.message).toContain("send tool_calls instead");
});
