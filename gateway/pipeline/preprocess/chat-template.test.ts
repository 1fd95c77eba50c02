import { describe, expect, test } from "vitest";
import { createChatTemplate } from "./chat-template.ts";

const conversation = [
  { role: "system", content: "Be brief." },
  { role: "user", content: "Hi" },
  { role: "assistant", content: "Hello!" },
  { role: "user", content: "How are you?" },
];

describe("a chat template", () => {
  test("renders the conversation up to where the answer begins", () => {
    const source =
      "{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{{ eos_token }}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}";
    const template = createChatTemplate(source, { bos: "<s>", eos: "</s>" });
    expect(template.render(conversation.slice(1, 2))).toBe("<s><|user|>Hi</s><|assistant|>");
    expect(template.stops).toEqual([]);
  });

  test("that refuses a conversation makes it the client's error", () => {
    const template = createChatTemplate("{{ raise_exception('Roles must alternate.') }}", {});
    expect(() => template.render(conversation)).toThrow(
      expect.objectContaining({
        status: 400,
        param: "messages",
        message: expect.stringContaining("Roles must alternate."),
      }),
    );
  });

  test("of a model that has none is plain turns, with a stop string where the next one would begin", () => {
    const template = createChatTemplate(undefined, {});
    expect(template.render(conversation)).toBe(
      "Be brief.\n\nUser: Hi\nAssistant: Hello!\nUser: How are you?\nAssistant:",
    );
    expect(template.stops).toEqual(["\nUser:"]);
  });
});
