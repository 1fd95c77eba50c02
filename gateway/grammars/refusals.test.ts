import { describe, expect, test } from "vitest";
import { ApiError } from "../kernel/errors.ts";
import { callsGrammar, choiceGrammar, jsonObjectGrammar, regexGrammar, schemaGrammar } from "./index.ts";
import { ReferenceGrammar } from "./reference-gbnf.ts";
import { randomOf } from "./test-oracle.ts";

function refusalOf(make: () => unknown): ApiError {
  try {
    make();
  } catch (error) {
    if (error instanceof ApiError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

const at = (schema: unknown) => refusalOf(() => schemaGrammar(schema, "s"));

describe("a schema is refused, with the path of the keyword,", () => {
  test.each<[string, unknown]>([
    ["s.properties.a.not", { type: "object", properties: { a: { not: {} } } }],
    ["s.if", { if: {}, else: false }],
    ["s.items.contains", { type: "array", items: { type: "array", contains: {} } }],
    ["s.uniqueItems", { type: "array", uniqueItems: true }],
    ["s.anyOf[1].dependentRequired", { anyOf: [{}, { dependentRequired: {} }] }],
    ["s.items.divisibleBy", { type: "array", items: { type: "integer", divisibleBy: 2 } }],
    ["s.maxLenght", { type: "string", maxLenght: 5 }],
    ["s.properties.maxLenght.Minimum", { type: "object", properties: { maxLenght: { Minimum: 5 } } }],
    ["s.enum[1].a", { enum: [1, { a: 2 ** 53 }] }],
    ["s.const", { const: 1e20 }],
    ["s.anyof", { anyof: [{ type: "string" }] }],
    ["s.tpye", { tpye: "string" }],
    ["s.disallow", { disallow: ["string"] }],
    ["s.properties.a.extends", { type: "object", properties: { a: { extends: { type: "string" } } } }],
    [
      's.properties["a b"].format',
      { type: "object", properties: { "a b": { type: "string", format: "regex" } } },
    ],
    ["s.pattern", { type: "string", pattern: "(?=a)b" }],
    ["s.pattern", { type: "string", pattern: "(a)\\1" }],
    ["s.pattern", { type: "string", pattern: "\\bword" }],
    ["s.pattern", { type: "string", pattern: "[a" }],
    ["s.format", { type: "integer", format: "int128" }],
    ["s.pattern", { type: "string", pattern: "[[:alpha:]]+" }],
    ["s.pattern", { type: "string", pattern: "a{,3}" }],
    ["s.pattern", { type: "string", pattern: "(?>a)" }],
    ["s.pattern", { type: "string", pattern: "[a-z&&[^b]]" }],
    ["s.patternProperties.(", { type: "object", patternProperties: { "(": {} } }],
    ["s.$ref", { $ref: "https://example.com/schema" }],
    ["s.$ref", { $ref: "#/$defs/none" }],
    ["s.$defs.x.not", { $ref: "#/$defs/x", $defs: { x: { not: {} } } }],
    ["s.multipleOf", { type: "number", multipleOf: 1000 }],
    ["s.minProperties", { type: "object", minProperties: 1 }],
    ["s.oneOf", { oneOf: [{ type: "string" }, { type: "string", minLength: 2 }] }],
    ["s.oneOf", { oneOf: [{ type: "string" }, { minimum: 2 }] }],
    [
      "s.oneOf",
      {
        oneOf: [
          { type: "object", properties: { a: {} } },
          { type: "object", properties: { b: {} } },
        ],
      },
    ],
    ["s.properties", { type: "object", const: {}, properties: {} }],
    ["s.type", { type: "text" }],
    ["s.minLength", { type: "string", minLength: -1 }],
    ["s.required", { type: "object", required: "a" }],
    ["s.properties.a", { type: "object", properties: { a: 1 } }],
    ["s", 7],
    ["s", false],
    ["s", { type: "string", minLength: 3, maxLength: 2 }],
    ["s", { type: "object", properties: { next: { $ref: "#" } }, required: ["next"] }],
  ])("%s", (path, schema) => {
    expect(at(schema)).toMatchObject({
      status: 400,
      param: path.replace("s.patternProperties.(", 's.patternProperties["("]'),
    });
  });
});

test("annotations are accepted, also those that JSON Schema does not know", () => {
  const annotations = {
    ...{
      title: "T",
      description: "D",
      default: 1,
      examples: [1],
      example: 1,
      deprecated: true,
      $comment: "C",
    },
    ...{
      readOnly: true,
      writeOnly: false,
      $schema: "https://json-schema.org/draft/2020-12/schema",
      $id: "i",
    },
    ...{ "x-type": 1, note: "N", enumNames: ["a"], discriminator: {}, nullable: true, errorMessage: "E" },
    ...{
      markdownDescription: "M",
      propertyOrdering: ["a"],
      strict: true,
      label: "L",
      id: "i",
      name: "n",
      $anchor: "a",
    },
    ...{ contentEncoding: "base64", contentMediaType: "text/plain", externalDocs: {}, xml: {}, tsType: "T" },
  };
  expect(() => schemaGrammar({ type: "string", ...annotations }, "s")).not.toThrow();
});

test("schemas that are too large are refused, not compiled for ever", () => {
  const wide = (count: number) => ({
    anyOf: Array.from({ length: count }, (_, index) => ({ minimum: index })),
  });
  expect(at({ allOf: [wide(30), wide(30)] }).param).toBe("s.allOf[1].anyOf");
  expect(at({ type: "string", pattern: "^(.*a.{30})$" }).param).toBe("s.pattern");
  expect(at({ type: "string", format: "email", maxLength: 254 }).param).toBe("s.maxLength");
  const deep = Array.from({ length: 5000 }).reduce<object>((inner) => ({ type: "array", items: inner }), {});
  expect(schemaGrammar(deep, "s").length).toBeGreaterThan(5000);
  const keys = Object.fromEntries(Array.from({ length: 1001 }, (_, index) => [`k${index}`, {}]));
  expect(at({ type: "object", properties: keys }).status).toBe(400);
});

describe("regular expressions", () => {
  test.each([
    ["(foo|bar)+[0-9]{2}", ["foo12", "foobarbar99"], ["12", "foo1", "foo123"]],
    ["[^a-z]*", ["", "A1"], ["a"]],
    ["a{2}|^b?$", ["aa", "b", ""], ["a", "aab"]],
    ["(?P<year>\\d{4})-(?:0[1-9])", ["2024-01"], ["2024-1"]],
    ["(a*)*b??", ["", "aaab"], ["ba"]],
    ["[\\w.-]+@\\S+", ["a.b@c"], ["@c", "a@b c"]],
    ["é😀.", ["é😀\u{1F601}"], ["é😀\n"]],
    ["[a\\]-]+", ["a]-"], ["b", ""]],
  ])("%s", (source, good, bad) => {
    const grammar = new ReferenceGrammar(regexGrammar(source, "r"));
    for (const text of good) expect([text, grammar.accepts(text)]).toEqual([text, true]);
    for (const text of bad) expect([text, grammar.accepts(text)]).toEqual([text, false]);
    const random = randomOf(3);
    const whole = new RegExp(`^(?:${source.replace("?P<", "?<")})$`, "u");
    for (let count = 0; count < 50; count++) expect(grammar.sentence(random)).toMatch(whole);
  });

  test("that match nothing are refused", () => {
    expect(refusalOf(() => regexGrammar("a^b", "r"))).toMatchObject({ status: 400, param: "r" });
    expect(refusalOf(() => regexGrammar("*a", "r"))).toMatchObject({ status: 400, param: "r" });
  });
});

test("a choice accepts exactly its texts", () => {
  const grammar = new ReferenceGrammar(choiceGrammar(['say "hi"', "a\nb", "é"], "c"));
  expect(['say "hi"', "a\nb", "é"].every((text) => grammar.accepts(text))).toBe(true);
  expect(["say", "", "ab"].some((text) => grammar.accepts(text))).toBe(false);
  expect(refusalOf(() => choiceGrammar([], "c"))).toMatchObject({ status: 400, param: "c" });
});

test("a JSON object is any object, and nothing else", () => {
  const grammar = new ReferenceGrammar(jsonObjectGrammar());
  expect(grammar.accepts('{"a": [1, {"b": null}], "c": "\\n"}')).toBe(true);
  expect(grammar.accepts("[]")).toBe(false);
  const random = randomOf(5);
  for (let count = 0; count < 50; count++) expect(JSON.parse(grammar.sentence(random))).toBeTypeOf("object");
});

describe("calls of tools", () => {
  const tools = [
    { name: "add", parameters: { type: "object", properties: { a: { type: "integer" } }, required: ["a"] } },
    { name: "now" },
  ];

  test("name a tool and satisfy its schema", () => {
    const grammar = new ReferenceGrammar(callsGrammar(tools, { parallel: true }));
    const call = { name: "add", parameters: { a: 1 } };
    expect(grammar.accepts(JSON.stringify([call]))).toBe(true);
    expect(grammar.accepts(JSON.stringify([call, { name: "now", parameters: {} }]))).toBe(true);
    for (const bad of [
      [],
      [{ name: "now", parameters: { a: 1 } }],
      [{ name: "add", parameters: {} }],
      [{ name: "x" }],
    ])
      expect(grammar.accepts(JSON.stringify(bad))).toBe(false);
    const one = new ReferenceGrammar(callsGrammar(tools, { parallel: false }));
    expect(one.accepts(JSON.stringify([call]))).toBe(true);
    expect(one.accepts(JSON.stringify([call, call]))).toBe(false);
  });

  test("each have their own definitions, and name what is refused", () => {
    const own = (type: string) => ({
      $defs: { x: { type } },
      type: "object",
      properties: { v: { $ref: "#/$defs/x" } },
    });
    const both = [
      { name: "f", parameters: own("null") },
      { name: "g", parameters: own("boolean") },
    ];
    const grammar = new ReferenceGrammar(callsGrammar(both, { parallel: true }));
    expect(
      grammar.accepts('[{"name":"f","parameters":{"v":null}},{"name":"g","parameters":{"v":true}}]'),
    ).toBe(true);
    expect(grammar.accepts('[{"name":"g","parameters":{"v":null}}]')).toBe(false);
    const bad = [tools[0]!, { name: "b", parameters: { type: "object", properties: { v: { not: {} } } } }];
    expect(refusalOf(() => callsGrammar(bad, { parallel: true })).param).toBe(
      "tools[1].function.parameters.properties.v.not",
    );
  });
});
