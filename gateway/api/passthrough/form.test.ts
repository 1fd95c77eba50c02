import fc from "fast-check";
import { expect, it } from "vitest";
import { modelInForm } from "./form.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const part = (disposition: string, value: string) =>
  `--x\r\nContent-Disposition: form-data; ${disposition}\r\n\r\n${value}\r\n`;
const TYPE = "multipart/form-data; boundary=x";

it.each([
  ["the field", part('name="model"', "a"), "a"],
  ["a name without quotes", part("name=model", "a"), "a"],
  ["a field after a file", part('name="file"; filename="f"', "sound") + part('name="model"', "a"), "a"],
  ["the last of several, as engines do", part('name="model"', "a") + part('name="model"', "b"), "b"],
  ["further headers", part('name="model"\r\nContent-Type: text/plain', "a"), "a"],
  ["no file of that name", part('name="file"; filename="model"', "a"), undefined],
  ["no file in its place", part('name="model"; filename="f"', "a"), undefined],
  ["no name with that prefix", part('name="model_size"', "a"), undefined],
  ["no parameter inside quotes", part('filename="; name=model; y="; name="file"', "a"), undefined],
  ["nothing inside another field", part('name="prompt"', part('name="model"', "a").slice(4)), undefined],
  [
    "nothing from a truncated form",
    '--x\r\nContent-Disposition: form-data; name="model"\r\n\r\na',
    undefined,
  ],
])("reads %s", (_what, text, name) => {
  expect(modelInForm(bytes(text.endsWith("\r\n") ? `${text}--x--\r\n` : text), TYPE)?.name).toBe(name);
});

it.each([
  ["multipart/form-data; boundary=X", undefined],
  ["multipart/form-data", undefined],
  ["text/plain; boundary=x", undefined],
  ['Multipart/Form-Data; charset=utf-8; boundary="x"', "a"],
])("reads the boundary of %s", (type, name) => {
  expect(modelInForm(bytes(`${part('name="model"', "a")}--x--`), type)?.name).toBe(name);
});

it("finds the model and its position in every form", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.constantFrom("a", "model.x", "\r\n--", "é"), fc.uint8Array())),
      fc.string({ unit: "grapheme" }).map((name) => name.replace(/[\r\n]/g, "")),
      fc.nat(),
      async (files, model, place) => {
        const form = new FormData();
        const fields: (() => void)[] = files.map(
          ([name, content]) =>
            () =>
              form.append(name, new Blob([content]), name),
        );
        fields.splice(place % (fields.length + 1), 0, () => form.append("model", model));
        for (const add of fields) add();
        const response = new Response(form);
        const type = response.headers.get("content-type")!;
        const body = new Uint8Array(await response.arrayBuffer());
        const found = modelInForm(body, type);
        const sent = new TextDecoder().decode(bytes(model));
        expect(found?.name).toBe(sent);
        expect(new TextDecoder().decode(body.subarray(...found!.range))).toBe(sent);
      },
    ),
  );
});
