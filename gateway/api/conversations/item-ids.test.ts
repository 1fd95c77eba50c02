import { expect, test } from "vitest";
import { conversationAfter } from "./changes.ts";
import { refuseItemIds, refuseKnownItems, withoutKnownItems } from "./item-ids.ts";
import { keptItem } from "./kept-item.ts";

const items = (...ids: (string | undefined)[]) =>
  ids.map((id) => ({ role: "user" as const, content: "Hello", id }));

test.each([
  ["an empty id", ["msg_a", ""], "items[1].id"],
  ["an id that no path can name", ["msg/a"], "items[0].id"],
  ["a long id", ["a".repeat(257)], "items[0].id"],
  ["an id given twice", ["msg_a", "msg_d", "msg_d", "msg_b"], "items[2].id"],
])("%s is refused by its path", (_, ids, param) => {
  expect(() => refuseItemIds(items(...ids), "items")).toThrow(
    expect.objectContaining({ status: 400, type: "invalid_request_error", param }),
  );
});

test("items without ids, and with different ones, are taken", () => {
  refuseItemIds(items(undefined, undefined, "msg_a", "fc-2"), "items");
});

test("an item that the conversation has is refused, or left out", () => {
  const [given, known] = [items(undefined, "msg_a"), items("msg_a")];
  expect(() => refuseKnownItems(given, known)).toThrow(expect.objectContaining({ param: "items[1].id" }));
  expect(withoutKnownItems(given, known)).toEqual(items(undefined));
});

test("of items that two clients add at once under one id, the first stays", () => {
  const [a, b] = items("msg_a", "msg_b").map(keptItem) as [never, never];
  const created = { type: "created", owner: "", createdAt: 1, metadata: {}, items: [a] } as const;
  const added = { type: "added", items: [b, a] } as const;
  const idsAfter = (...changes: Parameters<typeof conversationAfter>[0]) =>
    conversationAfter([created, ...changes])?.items.map(({ id }) => id);
  expect(idsAfter(added, added)).toEqual(["msg_a", "msg_b"]);
  expect(idsAfter({ type: "removed", id: "msg_a" }, added)).toEqual(["msg_b", "msg_a"]);
});
