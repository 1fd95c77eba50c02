import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readForm } from "./multipart.ts";

const TYPE = 'multipart/form-data; boundary="x"';
const utf8 = new TextEncoder();

/** A form with parts of these dispositions and contents. */
function form(...parts: [disposition: string, content: string | Uint8Array][]): Uint8Array {
  const pieces = parts.flatMap(([disposition, content]) => [
    utf8.encode(`--x\r\nContent-Disposition: form-data; ${disposition}\r\n\r\n`),
    typeof content === "string" ? utf8.encode(content) : content,
    utf8.encode("\r\n"),
  ]);
  return Uint8Array.from([...pieces, utf8.encode("--x--\r\n")].flatMap((piece) => [...piece]));
}

const read = (...parts: Parameters<typeof form>) => readForm(form(...parts), TYPE);

describe("readForm", () => {
  test("reads texts, of which the last one of a name counts", () => {
    expect(read(['name="a"', "1"], ['name="b"', "Grüße"], ['name="a"', ""])).toEqual({ a: "", b: "Grüße" });
  });

  test("reads lists and objects", () => {
    expect(
      read(['name="a[]"', "1"], ['name="a[]"', "2"], ['name="b[c]"', "3"], ['name="b[d]"', "4"]),
    ).toEqual({ a: ["1", "2"], b: { c: "3", d: "4" } });
  });

  test("reads files, also empty ones", () => {
    const bytes = Uint8Array.from([0, 13, 10, 45, 45, 255]);
    expect(read(['name="a"; filename="b.wav"', bytes], ['name="c"; filename=""', ""])).toEqual({
      a: { filename: "b.wav", bytes },
      c: { filename: "", bytes: new Uint8Array(0) },
    });
  });

  test("takes names that objects have themselves", () => {
    const fields = read(['name="__proto__"', "1"], ['name="a[__proto__]"', "2"], ['name="constructor"', "3"]);
    expect(Object.entries(fields!).map(([name]) => name)).toEqual(["__proto__", "a", "constructor"]);
    expect(Object.getPrototypeOf(fields)).toBe(Object.prototype);
  });

  test("leaves out parts without a name, and what is cut off", () => {
    const whole = form(['filename="a"', "1"], ['name="b"', "2"], ['name="c"', "3"]);
    expect(readForm(whole, TYPE)).toEqual({ b: "2", c: "3" });
    expect(readForm(whole.subarray(0, -10), TYPE)).toEqual({ b: "2" });
    expect(readForm(new Uint8Array(0), TYPE)).toEqual({});
  });

  test("knows only forms", () => {
    expect(readForm(form(['name="a"', "1"]), "application/json")).toBeUndefined();
    expect(readForm(form(['name="a"', "1"]), "multipart/form-data")).toBeUndefined();
  });

  test("gives back any bytes of a file that lack the boundary", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        fc.pre(!Buffer.from(bytes).includes("\r\n--x"));
        expect(read(['name="a"; filename="f"', bytes], ['name="b"', "1"])).toEqual({
          a: { filename: "f", bytes },
          b: "1",
        });
      }),
    );
  });
});
