import { describe, expect, test } from "vitest";
import { createChatTemplate } from "./chat-template.ts";
import { type Message, PLAIN } from "./conversation.ts";

const conversation = [
  { role: "system", content: "Be brief." },
  { role: "user", content: "Hi" },
  { role: "assistant", content: "Hello!" },
  { role: "user", content: "How are you?" },
];

const chat = (messages: readonly Message[]) => ({ ...PLAIN, messages });

describe("a chat template", () => {
  test("renders the conversation up to the start of the answer", () => {
    const source =
      "{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{{ eos_token }}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}";
    const template = createChatTemplate(source, { bos: "<s>", eos: "</s>" });
    expect(template.render(chat(conversation.slice(1, 2)))).toBe("<s><|user|>Hi</s><|assistant|>");
    expect(template.stops).toEqual([]);
  });

  test("that refuses a conversation causes a client error", () => {
    const template = createChatTemplate("{{ raise_exception('Roles must alternate.') }}", {});
    expect(() => template.render(chat(conversation))).toThrow(
      expect.objectContaining({
        status: 400,
        param: "messages",
        message: expect.stringContaining("Roles must alternate."),
      }),
    );
  });

  test("defaults to plain turns, with a stop string at the start of the next turn", () => {
    const template = createChatTemplate(undefined, {});
    expect(template.render(chat(conversation))).toBe(
      "Be brief.\n\nUser: Hi\nAssistant: Hello!\nUser: How are you?\nAssistant:",
    );
    expect(template.stops).toEqual(["\nUser:"]);
  });

  describe("with tool calls in the conversation", () => {
    const called = {
      role: "assistant",
      content: "Let me see.",
      tool_calls: [{ id: "call_1", type: "function", function: { name: "f", arguments: '{"x": [1]}' } }],
    };
    const result = { role: "tool", tool_call_id: "call_1", name: "f", content: "12" };
    const history = [{ role: "user", content: "Hi" }, called, result];

    test("renders them, with arguments as objects", () => {
      const template = createChatTemplate(
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}" +
          "{% for c in m.tool_calls or [] %}[{{ c.id }} {{ c.function.name }} x={{ c.function.arguments.x[0] or '' }}]{% endfor %}" +
          "{% if m.tool_call_id %}({{ m.tool_call_id }} {{ m.name }}){% endif %}{% endfor %}",
        {},
      );
      expect(template.render(chat(history))).toBe(
        "<user>Hi<assistant>Let me see.[call_1 f x=1]<tool>12(call_1 f)",
      );
    });

    test("gets calls that it does not support as text", () => {
      const template = createChatTemplate(
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}",
        {},
      );
      const text = '<tool_call>\n{"name":"f","arguments":{"x":[1]}}\n</tool_call>';
      expect(template.render(chat(history))).toBe(`<user>Hi<assistant>Let me see.\n${text}<tool>12`);
      expect(template.render(chat([{ ...called, content: "" }]))).toBe(`<assistant>${text}`);
      expect(createChatTemplate(undefined, {}).render(chat(history))).toBe(
        `User: Hi\nAssistant: Let me see.\n${text}\nTool: 12\nAssistant:`,
      );
    });

    test("gets results that it would ignore as the user's text", () => {
      const template = createChatTemplate(
        "{% for m in messages %}{% if m.role == 'user' %}U:{{ m.content }}{% elif m.role == 'assistant' %}A:{{ m.content }}{% endif %}{% endfor %}",
        {},
      );
      const text = (content: string) => `<tool_response>\n${content}\n</tool_response>`;
      const rendered = template.render(chat([...history, { ...result, content: "13" }]));
      expect(rendered).toContain(`U:${text("12")}\n${text("13")}`);
    });

    test.each([
      ["would show their parts as JSON", "{{ m.content }}"],
      ["would show their parts as JSON in a text", "{{ '<r>' + m.content + '</r>' }}"],
      ["would fail with their parts", "{{ m.content | trim }}"],
    ])("gets results as text if it %s", (_, shown) => {
      const template = createChatTemplate(
        `{% for m in messages %}{% if m.role == 'tool' %}${shown}{% elif m.role == 'user' %}{% for p in m.content %}{{ p.text }}{% endfor %}{% endif %}{% endfor %}`,
        {},
      );
      const parts = ["One.", "Two."].map((text) => ({ type: "text", text }));
      const rendered = template.render(chat([...history, { ...result, content: parts }]));
      expect(rendered.replace(/<\/?r>/g, "|").replaceAll("|", "")).toBe("Hi12One.\nTwo.");
    });

    test("gets the parts of results if it reads them", () => {
      const template = createChatTemplate(
        "{% for m in messages %}{% for p in m.content %}[{{ p.text }}]{% endfor %}{% endfor %}",
        {},
      );
      const parts = ["One.", "Two."].map((text) => ({ type: "text", text }));
      const rendered = template.render(chat([history[0]!, { ...result, content: parts }]));
      expect(rendered).toBe("[Hi][One.][Two.]");
    });

    test("reports its own error if it has one", () => {
      const template = createChatTemplate(
        "{% for m in messages %}{% if m.role == 'tool' or m.tool_calls %}{{ raise_exception('No tools here.') }}{% endif %}{{ m.content }}{% endfor %}",
        {},
      );
      expect(() => template.render(chat(history))).toThrow("No tools here.");
      expect(template.render(chat(history.slice(0, 1)))).toBe("Hi");
    });
  });

  describe("with tools", () => {
    const tools = [
      { type: "function" as const, function: { name: "f", description: "does f", parameters: {} } },
    ];
    const ask = (source: string | undefined, messages: readonly Message[]) =>
      createChatTemplate(source, {}).render({ ...chat(messages), tools });
    const TURNS = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}";

    test("renders them itself, if it can", () => {
      const source = `{% for t in tools or [] %}[{{ t.function.name }}]{% endfor %}${TURNS}`;
      expect(ask(source, conversation.slice(1, 2))).toBe("[f]<user>Hi");
      expect(createChatTemplate(source, {}).showsTools).toBe(true);
      expect(createChatTemplate(TURNS, {}).showsTools).toBe(false);
    });

    test("otherwise describes them in the system prompt", () => {
      expect(ask(TURNS, conversation.slice(0, 2))).toMatch(
        /^<system>Be brief\.\n\n# Tools\n[\s\S]*"f"[\s\S]*<user>Hi$/,
      );
      expect(ask(TURNS, conversation.slice(1, 2))).toMatch(/^<system># Tools\n[\s\S]*"f"[\s\S]*<user>Hi$/);
    });

    test("describes them to the user, if it has no system prompt", () => {
      const refusing = `{% if messages[0].role == 'system' %}{{ raise_exception('No system.') }}{% endif %}${TURNS}`;
      expect(ask(refusing, conversation.slice(1, 2))).toMatch(/^<user># Tools\n[\s\S]*"f"[\s\S]*Hi$/);
    });
  });
});
