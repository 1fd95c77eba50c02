import { expect, test } from "vitest";
import type { ToolFunction, Tools } from "../types.ts";
import { argumentNames, argumentTypes } from "./schema.ts";

const ALL = ["array", "boolean", "null", "number", "object", "string"];

/** A function with one argument. */
const toolsWith = (schema: unknown, definitions?: unknown): Tools => {
  const parameters = { type: "object", properties: { a: schema }, $defs: definitions };
  return new Map<string, ToolFunction>([["f", { name: "f", parameters }]]);
};

test.each<[unknown, string[]]>([
  [{ type: "string" }, ["string"]],
  [{ type: "integer" }, ["number"]],
  [{ type: ["string", "null"] }, ["null", "string"]],
  [{ type: "array", nullable: true }, ["array", "null"]],
  [{ anyOf: [{ type: "integer" }, { type: "null" }] }, ["null", "number"]],
  [{ oneOf: [{ type: "boolean" }, { enum: ["auto"] }] }, ["boolean", "string"]],
  [{ enum: ["a", 1, null] }, ["null", "number", "string"]],
  [{ const: true }, ["boolean"]],
  [{ $ref: "#/$defs/City" }, ["string"]],
  [{ $ref: "#/$defs/a~1b" }, ["number"]],
  [{ $ref: "#/$defs/Loop" }, ALL],
  [{ $ref: "https://example.org/schema" }, ALL],
  [{ anyOf: [{ type: "string" }, {}] }, ALL],
  [{ type: "datetime" }, ALL],
  [true, ALL],
  [undefined, ALL],
])("an argument of %j may be %j", (schema, types) => {
  const definitions = {
    City: { type: "string" },
    "a/b": { type: "number" },
    Loop: { anyOf: [{ $ref: "#/$defs/Loop" }] },
  };
  expect([...argumentTypes(toolsWith(schema, definitions), "f", "a")].sort()).toEqual(types);
});

test("arguments that are not declared may be anything", () => {
  const tools = toolsWith({ type: "string" });
  for (const name of ["toString", "b", "__proto__"])
    expect([...argumentTypes(tools, "f", name)].sort()).toEqual(ALL);
  expect([...argumentTypes(tools, "g", "a")].sort()).toEqual(ALL);
  expect(argumentNames(tools, "f")).toEqual(["a"]);
  expect(argumentNames(tools, "g")).toEqual([]);
});
