import fc from "fast-check";
import { expect, test } from "vitest";
import { isInteger, parseExactly } from "./exact-json.ts";

test.each([
  '{"id":12345678901234567,"ids":[18446744073709551615,-9223372036854775808],"share":1.0,"small":1e-9,"zero":-0,"text":"1.50"}',
  "[1.0,[2.50,{}],0.1E+2]",
  "9007199254740993",
])("numbers stay as they were: %s", (text) => {
  expect(JSON.stringify(parseExactly(text))).toBe(text);
});

test("other values are those of JSON.parse", () => {
  fc.assert(
    fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
      const text = JSON.stringify(value);
      expect(JSON.parse(JSON.stringify(parseExactly(text)))).toEqual(JSON.parse(text));
    }),
  );
  expect(() => parseExactly('{"a":1.0')).toThrow(SyntaxError);
});

test("integers of any size are integers", () => {
  const values = ["1", "-12345678901234567", "1.0", "1.5", '"1"', "null", "[1.0]"].map(parseExactly);
  expect(values.map(isInteger)).toEqual([true, true, false, false, false, false, false]);
});
