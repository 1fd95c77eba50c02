import { expect, test } from "vitest";
import { hasManyMessages, MOST_MESSAGES, refuseOverlongConversation } from "./limits.ts";

const messages = (count: number) => Array.from({ length: count }, () => ({ role: "user", content: "" }));

test("a conversation with at least as many messages as the context has tokens is refused", () => {
  const model = { name: "m", contextLength: 100 };
  expect(() => refuseOverlongConversation(messages(99), model)).not.toThrow();
  expect(() => refuseOverlongConversation(messages(100), model)).toThrow("has 100 messages");
});

test("anything but a list is accepted, as is any conversation if the context length is unknown", () => {
  expect(() => refuseOverlongConversation("x".repeat(500), { name: "m", contextLength: 100 })).not.toThrow();
  expect(() =>
    refuseOverlongConversation(messages(500), { name: "m", contextLength: undefined }),
  ).not.toThrow();
});

test("conversations with more messages than templates render are recognised in chats and responses", () => {
  expect(hasManyMessages({ messages: messages(MOST_MESSAGES) })).toBe(false);
  expect(hasManyMessages({ messages: messages(MOST_MESSAGES + 1) })).toBe(true);
  expect(hasManyMessages({ input: messages(MOST_MESSAGES + 1) })).toBe(true);
  expect(hasManyMessages({ input: "x".repeat(2 * MOST_MESSAGES) })).toBe(false);
});
