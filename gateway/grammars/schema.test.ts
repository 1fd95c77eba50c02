import { describe, expect, test } from "vitest";
import { schemaGrammar } from "./index.ts";
import { bothOf, wrongSentences } from "./test-oracle.ts";

interface Shape {
  schema: object | boolean;
  good: unknown[];
  bad: unknown[];
  /** Sentences of its grammar to check; 40 unless given. */
  sentences?: number;
}

/** Schemas, and values that their grammars must and must not accept. */
const SHAPES: Record<string, Shape> = {
  anything: { schema: {}, good: [1, -2.5e-7, 1e300, "x", null, [1, [true]], { a: { b: [] } }], bad: [] },
  true: { schema: true, good: [0, {}], bad: [] },
  "type: string": { schema: { type: "string" }, good: ["", 'a"\\\n\u0001/é😀'], bad: [1, null] },
  "type: integer": { schema: { type: "integer" }, good: [0, -7, 2 ** 53], bad: [1.5, "1", true] },
  "type: number": {
    schema: { type: "number" },
    good: [0, -0.25, 1e21, 2e20, 1e-300, -1.0000000000000002e-6],
    bad: ["1"],
  },
  "type: boolean": { schema: { type: "boolean" }, good: [true, false], bad: [0, null] },
  "type: null": { schema: { type: "null" }, good: [null], bad: [false] },
  "type: list of types": { schema: { type: ["integer", "null"] }, good: [3, null], bad: [3.5, "a"] },
  nullable: { schema: { type: "string", nullable: true }, good: ["a", null], bad: [1] },
  enum: {
    schema: { enum: ["a", 1, null, { b: [1, {}] }] },
    good: ["a", 1, null, { b: [1, {}] }],
    bad: ["b", {}],
  },
  const: { schema: { const: { a: "ü" } }, good: [{ a: "ü" }], bad: [{}, { a: "u" }] },
  "enum and type": {
    schema: { enum: ["a", 1, 12.5], type: ["string", "integer"] },
    good: ["a", 1],
    bad: [12.5],
  },
  "enum and pattern": { schema: { enum: ["ab", "ba"], pattern: "^a" }, good: ["ab"], bad: ["ba"] },
  "enum and range": { schema: { enum: [1, 5, 9.5], maximum: 9, multipleOf: 0.5 }, good: [1, 5], bad: [9.5] },
  length: {
    schema: { type: "string", minLength: 2, maxLength: 3 },
    good: ["ab", "😀é\n"],
    bad: ["a", "abcd"],
  },
  "long length": {
    schema: { type: "string", minLength: 1005, maxLength: 3210 },
    good: ["x".repeat(1005), "y".repeat(3210), "z".repeat(2000)],
    bad: ["x".repeat(1004), "y".repeat(3211)],
    sentences: 8,
  },
  "pattern, found anywhere": {
    schema: { type: "string", pattern: "b+c" },
    good: ["bc", "xxbbcy"],
    bad: ["b", "cb"],
  },
  "pattern, anchored": {
    schema: { type: "string", pattern: '^(\\d{3}-)?[A-Z\\s"]{2,}\\u{1F600}?$' },
    good: ["123-AB", 'A"\t\n😀'],
    bad: ["12-AB", "ab", "AB😀x"],
  },
  "pattern with an anchor in one branch": {
    schema: { type: "string", pattern: "^a|b$" },
    good: ["ax", "xb"],
    bad: ["xa"],
  },
  "pattern and length": {
    schema: { type: "string", pattern: "^[ab]*c", minLength: 2, maxLength: 4 },
    good: ["ac", "aabc", "cxyz"],
    bad: ["c", "aaabc", "ab"],
  },
  "pattern of letters": {
    schema: { type: "string", pattern: "^\\p{Lu}\\P{N}$" },
    good: ["Äx"],
    bad: ["ä1", "A1"],
  },
  "format: date": {
    schema: { type: "string", format: "date" },
    good: ["2024-02-29", "1999-12-31"],
    bad: ["2023-02-29", "2024-13-01"],
  },
  "format: time": {
    schema: { type: "string", format: "time" },
    good: ["23:59:59Z", "01:02:03.5+02:00"],
    bad: ["24:00:00Z", "10:00"],
  },
  "format: date-time": {
    schema: { type: "string", format: "date-time" },
    good: ["2024-02-29T10:00:00Z"],
    bad: ["2024-02-30T10:00:00Z"],
  },
  "format: duration": {
    schema: { type: "string", format: "duration" },
    good: ["P1DT2H", "P3W", "P1Y2M", "PT5S"],
    bad: ["P", "P1YT", "PT"],
  },
  "format: uuid": {
    schema: { type: "string", format: "uuid" },
    good: ["123e4567-e89b-12d3-a456-426614174000"],
    bad: ["123e4567"],
  },
  "format: email": {
    schema: { type: "string", format: "email" },
    good: ["a.b+c@x-y.example.com"],
    bad: ["a@b@c.de", ".a@b.cd"],
  },
  "format: ipv4": {
    schema: { type: "string", format: "ipv4" },
    good: ["0.0.0.0", "255.1.20.99"],
    bad: ["256.1.1.1", "01.1.1.1"],
  },
  "format: ipv6": {
    schema: { type: "string", format: "ipv6" },
    good: ["::", "::1", "2001:db8::8a2e:370:7334", "1:2:3:4:5:6:7:8", "::ffff:1.2.3.4"],
    bad: ["1::2::3", "12345::", "1:2:3"],
  },
  "format: uri": {
    schema: { type: "string", format: "uri" },
    good: ["https://a.example/b?c=d#e", "mailto:a@b.c"],
    bad: ["no uri", "//x"],
  },
  "integer range": {
    schema: { type: "integer", minimum: -12, exclusiveMaximum: 105 },
    good: [-12, 0, 104, 99],
    bad: [-13, 105, 1000],
  },
  "number range": {
    schema: { type: "number", exclusiveMinimum: 0, maximum: 2.5 },
    good: [0.001, 2.5, 1],
    bad: [0, 2.51, -1],
  },
  "number range below zero": {
    schema: { type: "number", minimum: -1.25, maximum: -0.5 },
    good: [-1.25, -0.5, -1],
    bad: [-1.3, -0.4, 0],
  },
  multipleOf: { schema: { type: "integer", multipleOf: 15, minimum: 10 }, good: [15, 30, 150], bad: [0, 16] },
  "multipleOf below one": {
    schema: { type: "number", multipleOf: 0.25, minimum: 0, maximum: 9 },
    good: [0.25, 8.5, 3],
    bad: [0.3, 9.25],
  },
  "two multipleOf": {
    schema: { type: "number", allOf: [{ multipleOf: 4 }, { multipleOf: 6 }] },
    good: [12, -24],
    bad: [4, 6],
  },
  "exponents as bounds": {
    schema: { type: "number", minimum: 1e-7, maximum: 1e21 },
    good: [0.5, 1e20],
    bad: [0],
  },
  "format: int32": {
    schema: { type: "integer", format: "int32" },
    good: [2 ** 31 - 1, -(2 ** 31)],
    bad: [2 ** 31],
  },
  items: { schema: { type: "array", items: { type: "integer" } }, good: [[], [1, 2]], bad: [["a"], {}] },
  "items and counts": {
    schema: { type: "array", items: { type: "null" }, minItems: 2, maxItems: 3 },
    good: [
      [null, null],
      [null, null, null],
    ],
    bad: [[], [null], [null, null, null, null]],
  },
  prefixItems: {
    schema: {
      type: "array",
      prefixItems: [{ type: "string" }, { type: "integer" }],
      items: { type: "null" },
      minItems: 1,
    },
    good: [["a"], ["a", 1], ["a", 1, null, null]],
    bad: [[], [1], ["a", "b"], ["a", 1, 2]],
  },
  "prefixItems and no more": {
    schema: { type: "array", prefixItems: [{ type: "string" }, { type: "integer" }], items: false },
    good: [[], ["a"], ["a", 1]],
    bad: [["a", 1, 2]],
  },
  properties: {
    schema: {
      type: "object",
      properties: { a: { type: "integer" }, "b c": { type: "string" }, d: {} },
      required: ["b c"],
    },
    good: [{ "b c": "" }, { a: 1, "b c": "x", d: [] }, { "b c": "x", d: 1 }],
    bad: [{}, { a: 1 }, { "b c": 1 }],
  },
  "required without properties": {
    schema: { type: "object", required: ["x"] },
    good: [{ x: 1 }, { x: [], y: 2 }],
    bad: [{}, { y: 1 }],
  },
  "additionalProperties: false": {
    schema: { type: "object", properties: { a: {} }, additionalProperties: false },
    good: [{}, { a: 1 }],
    bad: [{ b: 1 }],
  },
  "additionalProperties: schema": {
    schema: {
      type: "object",
      properties: { a: { type: "string" } },
      additionalProperties: { type: "integer" },
    },
    good: [{ a: "x" }, { a: "x", b: 1, c: 2 }, { ab: 1 }],
    bad: [{ a: 1 }, { b: "x" }],
  },
  patternProperties: {
    schema: {
      type: "object",
      properties: { x1: { minimum: 3, type: "integer" } },
      patternProperties: { "^x": { type: "integer" }, "1$": { type: ["integer", "string"], multipleOf: 2 } },
      additionalProperties: false,
    },
    good: [{ x1: 4, x2: 3, y1: "s", xy1: 2 }, {}],
    bad: [{ x1: 3 }, { x1: 2 }, { y: 1 }, { xy1: "s" }, { xy1: 3 }],
  },
  propertyNames: {
    schema: { type: "object", propertyNames: { pattern: "^[a-z]+$" } },
    good: [{ a: 1, bc: 2 }],
    bad: [{ A: 1 }, { "": 1 }],
  },
  "minProperties and maxProperties": {
    schema: {
      type: "object",
      properties: { a: {}, b: {}, c: {} },
      minProperties: 1,
      maxProperties: 2,
      additionalProperties: false,
    },
    good: [{ a: 1 }, { a: 1, c: 2 }],
    bad: [{}, { a: 1, b: 2, c: 3 }],
  },
  "maxProperties of free keys": {
    schema: { type: "object", maxProperties: 2 },
    good: [{}, { x: 1, y: 2 }],
    bad: [{ x: 1, y: 2, z: 3 }],
  },
  anyOf: {
    schema: { anyOf: [{ type: "string" }, { type: "integer", minimum: 5 }] },
    good: ["a", 5],
    bad: [4, null],
  },
  "anyOf beside other keywords": {
    schema: {
      type: "object",
      properties: { a: { type: "integer" } },
      anyOf: [{ required: ["a"] }, { properties: { b: { const: 1 } }, required: ["b"] }],
    },
    good: [{ a: 1 }, { b: 1 }, { a: 2, b: 1 }],
    bad: [{}, { b: 2 }],
  },
  "oneOf of types": {
    schema: { oneOf: [{ type: "string" }, { type: "array", items: {} }] },
    good: ["", []],
    bad: [1],
  },
  "oneOf with tags": {
    schema: {
      oneOf: [
        {
          type: "object",
          properties: { kind: { const: "cat" }, lives: { type: "integer" } },
          required: ["kind"],
        },
        {
          type: "object",
          properties: { kind: { const: "dog" }, name: { type: "string" } },
          required: ["kind"],
        },
      ],
    },
    good: [{ kind: "cat", lives: 9 }, { kind: "dog" }],
    bad: [{ kind: "fox" }, {}],
  },
  "oneOf of formats": {
    schema: { type: "string", oneOf: [{ format: "date" }, { format: "date-time" }] },
    good: ["2024-01-01"],
    bad: ["x"],
  },
  "oneOf of closed objects": {
    schema: {
      oneOf: [
        { type: "object", properties: { a: {} }, required: ["a"], additionalProperties: false },
        { type: "object", properties: { b: {} }, required: ["b"], additionalProperties: false },
      ],
    },
    good: [{ a: 1 }, { b: 1 }],
    bad: [{}, { a: 1, b: 1 }],
  },
  allOf: {
    schema: {
      allOf: [
        { type: "object", properties: { a: { minimum: 3 } }, required: ["a"] },
        { properties: { a: { type: "integer" }, b: { type: "null" } }, required: ["b"] },
      ],
    },
    good: [{ a: 3, b: null }],
    bad: [{ a: 2, b: null }, { a: 3 }],
  },
  "allOf of patterns": {
    schema: { type: "string", allOf: [{ pattern: "a" }, { pattern: "b" }, { maxLength: 3 }] },
    good: ["ab", "xba"],
    bad: ["a", "xxab"],
  },
  "$ref into $defs": {
    schema: {
      $defs: { "a/b": { type: "integer" } },
      type: "array",
      items: { $ref: "#/$defs/a~1b" },
      minItems: 1,
    },
    good: [[1, 2]],
    bad: [[], ["x"]],
  },
  "$ref beside other keywords": {
    schema: { definitions: { n: { type: "integer" } }, $ref: "#/definitions/n", minimum: 4 },
    good: [4],
    bad: [3],
  },
  "recursive $ref": {
    schema: {
      $defs: {
        node: {
          type: "object",
          properties: {
            value: { type: "integer" },
            children: { type: "array", items: { $ref: "#/$defs/node" } },
          },
          required: ["value"],
        },
      },
      $ref: "#/$defs/node",
    },
    good: [{ value: 1 }, { value: 1, children: [{ value: 2, children: [] }, { value: 3 }] }],
    bad: [{ children: [] }, { value: 1, children: [{}] }],
  },
  "recursive $ref to the root": {
    schema: {
      type: "object",
      properties: { next: { anyOf: [{ $ref: "#" }, { type: "null" }] } },
      required: ["next"],
    },
    good: [{ next: null }, { next: { next: null } }],
    bad: [{}, { next: {} }],
  },
  "an optional property that nothing satisfies": {
    schema: { type: "object", properties: { a: false, b: { type: "null" } } },
    good: [{}, { b: null }],
    bad: [{ a: 1 }],
  },
  annotations: {
    schema: {
      $schema: "https://json-schema.org/draft/2020-12/schema",
      title: "t",
      description: "d",
      type: "null",
      default: 1,
      examples: [2],
      deprecated: true,
      readOnly: true,
      $comment: "c",
    },
    good: [null],
    bad: [1],
  },
};

describe.each(Object.entries(SHAPES))("%s", (_, { schema, good, bad, sentences }) => {
  test("every sentence satisfies the schema", () => {
    expect(wrongSentences(schema, sentences)).toEqual([]);
  });

  test("accepts what satisfies the schema, and nothing else", () => {
    const { grammar, validate } = bothOf(schema);
    expect(good.filter((value) => !validate(value) || !grammar.accepts(JSON.stringify(value)))).toEqual([]);
    expect(bad.filter((value) => validate(value) || grammar.accepts(JSON.stringify(value)))).toEqual([]);
  });
});

test.each([
  ["int8", -128, 127],
  ["uint8", 0, 255],
  ["uint32", 0, 2 ** 32 - 1],
])("format: %s, which validators do not know", (format, least, most) => {
  const { grammar } = bothOf({ type: "integer", format });
  const numbers = [least - 1, least, most, most + 1].map((number) => grammar.accepts(String(number)));
  expect(numbers).toEqual([false, true, true, false]);
});

test("reads what drafts before 2019 and OpenAPI 3.0 write differently", () => {
  const { grammar } = bothOf({ type: "integer", minimum: 3 });
  expect(grammar.accepts("3")).toBe(true);
  const strict = schemaGrammar({ type: "integer", minimum: 3, exclusiveMinimum: true, maximum: 9 }, "s");
  expect(strict).toBe(schemaGrammar({ type: "integer", exclusiveMinimum: 3, maximum: 9 }, "s"));
  const list = schemaGrammar({ type: "array", items: [{ type: "null" }], additionalItems: false }, "s");
  expect(list).toBe(schemaGrammar({ type: "array", prefixItems: [{ type: "null" }], items: false }, "s"));
});

test("offers only declared keys unless the schema says otherwise", () => {
  const { grammar } = bothOf({ type: "object", properties: { a: {} } });
  expect(grammar.accepts('{"b":1}')).toBe(false);
  const open = bothOf({ type: "object", properties: { a: {} }, additionalProperties: true });
  expect(open.grammar.accepts('{"b":1}')).toBe(true);
});

test("allows blanks as models write them, but not without end", () => {
  const { grammar } = bothOf({
    type: "object",
    properties: { a: { type: "array", items: {} } },
    required: ["a"],
  });
  const value = { a: [1, { b: 2 }] };
  for (const text of [JSON.stringify(value), JSON.stringify(value, null, 2), '{"a": [1, {"b": 2}]}'])
    expect(grammar.accepts(text)).toBe(true);
  expect(grammar.accepts('{  "a":[]}')).toBe(false);
  expect(grammar.accepts('{"a":[]}\n')).toBe(false);
});

test("strings hold every character, in any way of writing it", () => {
  const { grammar } = bothOf({ type: "string", maxLength: 1 });
  for (const text of ['"\\u00e9"', '"\\/"', '"\\ud83d\\ude00"', '"\\ud83d\\ude00"', '"\u2028"', '"\u007f"'])
    expect(grammar.accepts(text)).toBe(true);
  for (const text of ['"\n"', '"\\ud83d"', '"\\x41"', '"\\ude00\\ud83d"'])
    expect(grammar.accepts(text)).toBe(false);
});
