import fc from "fast-check";
import { expect, it } from "vitest";
import { modelInForm } from "./form.ts";
import { renameInForm, renameInJson, renameInQuery } from "./rename.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (body: Uint8Array) => new TextDecoder().decode(body);

it.each([
  ['{"model":"a","x":1}', '{"model":"b","x":1}'],
  ['{ "x" : {"model":"a"}, "model" : "a" }', '{ "x" : {"model":"a"}, "model" :"b"}'],
  ['{"mod\\u0065l":"a"}', '{"mod\\u0065l":"b"}'],
  ['{"model":"first","model":"a"}', '{"model":"first","model":"b"}'],
  ['{"x":"model","y":"\\"model\\":","model":"ä\\""}', '{"x":"model","y":"\\"model\\":","model":"b"}'],
  ['{"x":["model",{"model":1}]}', '{"x":["model",{"model":1}]}'],
  ["{}", "{}"],
])("renames in %s", (before, after) => {
  expect(text(renameInJson(bytes(before), "b"))).toBe(after);
});

it("changes only the model in any JSON object", () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.string(), fc.jsonValue()),
      fc.string(),
      fc.constantFrom(undefined, 1, 2),
      (object, model, indent) => {
        const given = { ...object, model: "given" };
        const renamed = renameInJson(bytes(JSON.stringify(given, undefined, indent)), model);
        expect(JSON.parse(text(renamed))).toEqual(JSON.parse(JSON.stringify({ ...given, model })));
      },
    ),
  );
});

it("renames in a form, before its files", () => {
  const form = (model: string) =>
    `--x\r\nContent-Disposition: form-data; name="model"\r\n\r\n${model}\r\n--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nname="model"\r\n\r\na\r\n--x--\r\n`;
  const body = bytes(form("given"));
  const renamed = renameInForm(body, modelInForm(body, "multipart/form-data; boundary=x")!, "another one");
  expect(text(renamed)).toBe(form("another one"));
});

it("renames in a query", () => {
  expect(renameInQuery("?a=1&model=x%2Fy", "b c")).toBe("?a=1&model=b+c");
  expect(renameInQuery("?a=1", "b")).toBe("?a=1");
});
