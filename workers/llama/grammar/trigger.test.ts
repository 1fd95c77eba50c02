import { expect, test } from "vitest";
import { Trigger } from "./trigger.ts";

const push = (trigger: Trigger, ...pieces: string[]) => {
  for (const piece of pieces) trigger.push(Buffer.from(piece));
  return trigger.isFound;
};

test("finds a text across tokens, and not before its last byte", () => {
  const trigger = new Trigger(["</think>", "é"]);
  expect(push(trigger, "a <", "</th", "ink")).toBe(false);
  expect(push(trigger, ">x")).toBe(true);
  const bytes = new Trigger(["é"]);
  bytes.push(Uint8Array.of(0xc3));
  expect(bytes.isFound).toBe(false);
  bytes.push(Uint8Array.of(0xa9));
  expect(bytes.isFound).toBe(true);
});

test("waits for nothing if there is no text", () => {
  expect(new Trigger([]).isFound).toBe(true);
});
