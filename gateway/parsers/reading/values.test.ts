import { expect, test } from "vitest";
import type { JsonType } from "./schema.ts";
import { ValueWriter } from "./values.ts";

/** What is written of a value, in pieces. */
function write(pieces: readonly string[], types: readonly JsonType[]): string[] {
  const written: string[] = [];
  const writer = new ValueWriter((json) => written.push(json), new Set(types));
  for (const piece of pieces) writer.push(piece);
  writer.end();
  return written;
}

const ALL: JsonType[] = ["array", "boolean", "null", "number", "object", "string"];

test.each<[string, JsonType[], string]>([
  ["42", ["string"], '"42"'],
  ["null", ["string"], '"null"'],
  ["", ["string"], '""'],
  ["null", ["string", "null"], "null"],
  ["nullable", ["string", "null"], '"nullable"'],
  ["None", ["string", "null"], "null"],
  ["No", ["string", "null"], '"No"'],
  ["42", ["string", "null"], '"42"'],
  ["1e400", ["number"], "1e400"],
  ["12345678901234567890", ["number"], "12345678901234567890"],
  ["1_000", ["number"], "1000"],
  ["3 days", ["number"], '"3 days"'],
  [" true ", ["boolean"], "true"],
  ["True", ["boolean"], "true"],
  ["yes", ["boolean"], '"yes"'],
  ["null", ["array"], "null"],
  ['{ "a":1.50 }', ["object"], '{ "a":1.50 }'],
  ["{'a': None}", ["object"], '{"a":null}'],
  ["{a", ["object"], '"{a"'],
  ['{"a": 1} and more', ["object", "string"], '"{\\"a\\": 1} and more"'],
  ["[1]", ALL, "[1]"],
  ["[note]", ALL, '"[note]"'],
  ["7", ALL, "7"],
  ["7 o'clock", ALL, '"7 o\'clock"'],
  ['"quoted"', ALL, '"\\"quoted\\""'],
  ["", ALL, '""'],
])("%j of types %j is %s", (text, types, json) => {
  expect(write([text], types).join("")).toBe(json);
  expect(write([...text], types).join("")).toBe(json);
});

test("strings are written as they come, once they can be nothing else", () => {
  expect(write(["a", "b"], ["string"])).toEqual(['"a', "b", '"']);
  expect(write(["1", " a", "b"], ALL)).toEqual(['"1 a', "b", '"']);
  expect(write(["1", "2"], ALL)).toEqual(["12"]);
});
