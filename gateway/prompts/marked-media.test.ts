import { describe, expect, test } from "vitest";
import { webByteTools } from "../media/byte-tools.ts";
import { encoded } from "../media/content.ts";
import { Medium } from "../media/medium.ts";
import { RequestMedia } from "../media/read-media.ts";
import { createChatTemplate } from "./chat-template.ts";
import { PLAIN } from "./conversation.ts";
import { MarkedMedia } from "./marked-media.ts";

const medium = (text: string) =>
  new Medium(encoded("", new TextEncoder().encode(btoa(text))), "image", undefined, webByteTools);
const [cat, dog] = [medium("cat"), medium("dog")];
const media = new RequestMedia();
media.add("CAT", cat);
media.add("DOG", dog);

const image = (url: string) => ({ type: "image_url", image_url: { url } });
const text = (content: string) => ({ type: "text", text: content });

function divide(template: string, ...contents: unknown[]) {
  const messages = contents.map((content) => ({ role: "user", content }));
  const marked = new MarkedMedia({ ...PLAIN, messages }, media, "messages");
  return marked.divide(createChatTemplate(template, {}).render(marked.conversation));
}

describe("media are where their parts are", () => {
  const PARTS =
    "{% for m in messages %}[{% for p in m.content %}{% if p.type == 'text' %}{{ p.text }}{% else %}<image>{% endif %}{% endfor %}]{% endfor %}";
  const TEXT = "{% for m in messages %}[{{ m.content }}]{% endfor %}";

  test("in templates that read parts", () => {
    const { texts, media: found } = divide(PARTS, [text("a"), image("CAT"), text("b")], [image("DOG")]);
    expect(texts).toEqual(["[a", "b][", "]"]);
    expect(found).toEqual([cat, dog]);
  });

  test("in templates that know only text", () => {
    const { texts, media: found } = divide(TEXT, [image("DOG"), text("a"), image("DOG")], "b");
    expect(texts).toEqual(["[", "\na\n", "][b]"]);
    expect(found).toEqual([dog, dog]);
  });

  test("in the order in which the template shows them", () => {
    const backwards = "{% for m in messages[::-1] %}{{ m.content }}{% endfor %}";
    expect(divide(backwards, [image("CAT")], [image("DOG")]).media).toEqual([dog, cat]);
  });
});

test.each([
  ["leaves out", "{{ messages[-1].content }}"],
  ["repeats", "{% for m in messages %}{{ m.content }}{{ m.content }}{% endfor %}"],
])("a template that %s a medium is refused", (_, template) => {
  expect(() => divide(template, [image("CAT")], "b")).toThrow("does not show each medium");
});
