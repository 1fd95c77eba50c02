import { expect, test } from "vitest";
import { z } from "zod";
import { ServiceRegistrationSchema } from "#proto";
import { discoveryValue } from "./discovery-value.ts";
import { cardFault, instanceSchema } from "./model-card.ts";

const registration = discoveryValue(
  ServiceRegistrationSchema,
  z.object({ id: z.string().min(1), pid: z.number(), isLeaving: z.boolean() }),
);

test.each([
  ["defaults for what is absent", { id: "a" }],
  ["defaults for null", { id: "a", pid: null, isLeaving: null }],
  ["numbers as strings", { id: "a", pid: "0" }],
  ["the names in the .proto file", { id: "a", is_leaving: false }],
  ["nothing of fields that it does not know", { id: "a", since: 2026, more: { pid: "x" } }],
])("a discovery value has %s", (_, value) => {
  expect(registration.parse(value)).toEqual({ id: "a", pid: 0, isLeaving: false });
});

const card = { name: "m", tokenizer: { kind: "worker", sha256: "ab" }, created: "1795000000" };
const instance = (fields: object) => ({ id: "0123456789abcdef", address: "a", name: "w", ...fields });

test.each<[unknown, string, RegExp]>([
  ["what?", "the whole card", /not an object/],
  [[], "the whole card", /not an object/],
  [instance({ card: { ...card, blockSize: "x" } }), "card.blockSize", /expected number \(uint32\), got "x"/],
  [instance({ card: { ...card, block_size: -1 } }), "card.block_size", /out of range/],
  [instance({ card: { ...card, tags: ["a", 7] } }), "card.tags", /#2: expected string, got 7/],
  [instance({ card: { ...card, features: 7 } }), "card.features", /not an object/],
  [instance({ card: { ...card, features: { logprobs: "yes" } } }), "card.features.logprobs", /boolean/],
  [instance({ pid: "x", card }), "pid", /number/],
  [instance({ card }), "card.contextLength", />0/],
  [instance({}), "card", /expected object/],
  [instance({ id: "x", card }), "id", /pattern/],
])("a fault in %j is named", (value, field, reason) => {
  expect(cardFault(instanceSchema.safeParse(value).error!)).toEqual({
    field,
    reason: expect.stringMatching(reason),
  });
});
