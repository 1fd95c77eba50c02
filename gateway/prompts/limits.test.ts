import { expect, test } from "vitest";
import { hasManyMessages, MOST_MESSAGES, refuseHopelessConversation } from "./limits.ts";

const messages = (count: number) => Array.from({ length: count }, () => ({ role: "user", content: "" }));

test("a conversation with a message for each token of the context is refused", () => {
  const model = { name: "m", contextLength: 100 };
  expect(() => refuseHopelessConversation(messages(99), model)).not.toThrow();
  expect(() => refuseHopelessConversation(messages(100), model)).toThrow("has 100 messages");
});

test("what is no list, or goes to a model whose context is not known, is not", () => {
  expect(() => refuseHopelessConversation("x".repeat(500), { name: "m", contextLength: 100 })).not.toThrow();
  expect(() =>
    refuseHopelessConversation(messages(500), { name: "m", contextLength: undefined }),
  ).not.toThrow();
});

test("a conversation with more messages than templates are given is known, in chats and in responses", () => {
  expect(hasManyMessages({ messages: messages(MOST_MESSAGES) })).toBe(false);
  expect(hasManyMessages({ messages: messages(MOST_MESSAGES + 1) })).toBe(true);
  expect(hasManyMessages({ input: messages(MOST_MESSAGES + 1) })).toBe(true);
  expect(hasManyMessages({ input: "x".repeat(2 * MOST_MESSAGES) })).toBe(false);
});
