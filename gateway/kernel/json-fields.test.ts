import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { withFields, withValue } from "./json-fields.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (body: Uint8Array) => new TextDecoder().decode(body);
const edit = (body: string, removed: string[], added: Record<string, unknown> = {}) =>
  text(withFields(bytes(body), new Set(removed), added));

describe("fields of a JSON object", () => {
  test("are added in front, and every other byte stays", () => {
    expect(edit('{ "model" : "m",\n "seed": 18446744073709551615 }', [], { k: { a: [1] } })).toBe(
      '{"k":{"a":[1]}, "model" : "m",\n "seed": 18446744073709551615 }',
    );
    expect(edit("{}", [], { k: 1 })).toBe('{"k":1}');
    expect(edit(" { } ", [], { k: 1, l: null })).toBe(' {"k":1,"l":null } ');
    expect(edit('{"a":1}', [])).toBe('{"a":1}');
  });

  test("are removed however they are spelled and however often they appear", () => {
    expect(edit('{"a":1,"kv":{"x":"}"},"b":"kv"}', ["kv"])).toBe('{"a":1,"b":"kv"}');
    expect(edit('{"k\\u0076":1, "a":[{"kv":2}], "kv":3 }', ["kv"])).toBe('{"a":[{"kv":2}]}');
    expect(edit('{"kv":1}', ["kv"])).toBe("{}");
    expect(edit('{"kv":1,"kv":2}', ["kv"], { kv: 3 })).toBe('{"kv":3}');
  });

  test("have their last value replaced", () => {
    expect(text(withValue(bytes('{"m":1,"n":{"m":2},"m" : 3}'), "m", "x"))).toBe(
      '{"m":1,"n":{"m":2},"m" :"x"}',
    );
    expect(text(withValue(bytes('{"n":1}'), "m", "x"))).toBe('{"n":1}');
  });

  test("are edited as by parsing, for any object", () => {
    const object = fc.dictionary(fc.string(), fc.jsonValue());
    fc.assert(
      fc.property(
        object,
        fc.array(fc.string()),
        object,
        fc.constantFrom(0, 1, 4),
        (given, extra, added, indent) => {
          const removed = new Set([...extra, ...Object.keys(given).filter((_, index) => index % 2 === 0)]);
          for (const name of Object.keys(added)) removed.add(name);
          const kept = Object.fromEntries(Object.entries(given).filter(([name]) => !removed.has(name)));
          const edited = withFields(bytes(JSON.stringify(given, undefined, indent)), removed, added);
          expect(JSON.parse(text(edited))).toEqual(JSON.parse(JSON.stringify({ ...added, ...kept })));
        },
      ),
    );
  });
});
