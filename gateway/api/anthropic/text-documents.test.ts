import { expect, test } from "vitest";
import { validate } from "../openai/validate.ts";
import { messagesRequest } from "./schemas.ts";
import { withDocumentsAsText } from "./text-documents.ts";

const said = (...content: object[]) => ({
  model: "m",
  max_tokens: 1,
  messages: [{ role: "user", content }],
});
const contentOf = (...content: object[]) =>
  withDocumentsAsText(validate(messagesRequest, said(...content)).messages)[0]!.content;

const text = (content: string) => ({ type: "text", text: content });
const plain = { type: "text", media_type: "text/plain", data: "Grass is green." };

test.each([
  ["plain text", { source: plain }, "Grass is green."],
  [
    "a title and a context",
    { source: plain, title: "Lawns", context: "Old." },
    "Lawns\nOld.\nGrass is green.",
  ],
  ["empty ones", { source: plain, title: "", context: null }, "Grass is green."],
  ["a content", { source: { type: "content", content: "Green." }, title: "Lawns" }, "Lawns\nGreen."],
  ["blocks", { source: { type: "content", content: [text("One."), text("Two.")] } }, "One.\nTwo."],
])("a document with %s is text", (_, document, expected) => {
  const block = { type: "document", citations: { enabled: true }, ...document };
  expect(contentOf(block, text("Why?"))).toEqual([text(expected), text("Why?")]);
});

test("a document in the result of a tool is text", () => {
  const result = { type: "tool_result", tool_use_id: "a" };
  expect(contentOf({ ...result, content: [{ type: "document", source: plain }] })).toEqual([
    { ...result, content: [text("Grass is green.")] },
  ]);
  expect(contentOf({ ...result, content: "Green." })).toEqual([{ ...result, content: "Green." }]);
});

test("messages without documents stay as they are", () => {
  expect(contentOf(text("Hi"))).toEqual([text("Hi")]);
  expect(withDocumentsAsText([{ role: "user", content: "Hi" }])).toEqual([{ role: "user", content: "Hi" }]);
});

test("a document without its text is refused with its path", () => {
  expect(() => contentOf({ type: "document", source: { type: "text" } })).toThrow(
    expect.objectContaining({ param: "messages[0].content[0].source.data" }),
  );
});
