import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { joinBytes } from "../kernel/bytes.ts";
import { webByteTools } from "./byte-tools.ts";
import { withoutMedia } from "./excise.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

const LONG = "iVBORw0KGgo".repeat(200);

/** The light body's text, and the whole body made from it again. */
function read(text: string) {
  const { bytes, media } = withoutMedia(encode(text), webByteTools);
  return { light: decode(bytes), media, whole: decode(joinBytes(media.restore(bytes))) };
}

describe("a body without its media", () => {
  test("has short stand-ins, from which the same bytes are made", () => {
    const text = `{"messages" : [{"content":[{"type":"image_url","image_url":{ "url" : "data:image/png;base64,${LONG}"}},{"text":"é \\" x"}]}]}`;
    const { light, media, whole } = read(text);
    expect(light.length).toBeLessThan(300);
    expect(media.size).toBe(1);
    expect(whole).toBe(text);
    const { url } = JSON.parse(light).messages[0].content[0].image_url;
    expect(decode(media.get(url)!)).toBe(`data:image/png;base64,${LONG}`);
  });

  test.each([
    ["Anthropic's data", `{"source":{"type":"base64","data":"${LONG}"}}`],
    ["a response's image", `{"type":"input_image","image_url":"data:image/png;base64,${LONG}"}`],
    ["audio", `{"input_audio":{"format":"wav","data":"${LONG}"}}`],
    ["a file", `{"file":{"file_data":"data:application/pdf;base64,${LONG}"}}`],
    ["a list", `{"images":["${LONG}","${LONG}"]}`],
  ])("%s is taken out", (_what, text) => {
    const { light, whole } = read(text);
    expect(light).not.toContain(LONG);
    expect(whole).toBe(text);
  });

  test.each([
    ["a text", `{"content":"${LONG}"}`],
    ["a text part", `{"type":"text","text":"data:image/png;base64,${LONG}"}`],
    ["a tool's argument", `{"arguments":"{\\"url\\":\\"data:image/png;base64,${LONG}\\"}"}`],
    ["an address", `{"url":"https://a.example/?${LONG}"}`],
    ["a short medium", '{"url":"data:image/png;base64,AAAA"}'],
    ["a key", `{"url":{"${LONG}":1}}`],
    ["what is no JSON", `{"url":"data:${LONG}`],
  ])("%s stays", (_what, text) => {
    const { light, media } = read(text);
    expect(light).toBe(text);
    expect(media.size).toBe(0);
  });

  test("slashes may be escaped, as PHP does, and lines broken", () => {
    const data = "/9j/4AAQ+".repeat(200);
    const escaped = data.replaceAll("/", "\\/").replaceAll("+", "\\u002b\\r\\n");
    const { light, whole } = read(`{"url":"data:image\\/jpeg;base64,${escaped}"}`);
    expect(light.length).toBeLessThan(200);
    expect(JSON.parse(whole)).toEqual({ url: `data:image/jpeg;base64,${data}` });
  });

  test("a text that imitates a stand-in stands for nothing", () => {
    const { media } = read(`{"url":"data:image/png;base64,${LONG}"}`);
    expect(media.get("stator-media-0.")).toBeUndefined();
    expect(media.get("stator-media-00000000-0000-0000-0000-000000000000-0.")).toBeUndefined();
  });

  test("any JSON means the same with its media back in place", () => {
    const key = fc.constantFrom("url", "data", "image_url", "text", "image", 'a"b');
    const long = fc.constantFrom(LONG, `data:image/png;base64,${LONG}`, `data:${LONG}"\\\n`, `é${LONG}`);
    const { json } = fc.letrec((tie) => ({
      json: fc.oneof(
        { maxDepth: 4 },
        fc.string(),
        long,
        fc.integer(),
        fc.array(tie("json"), { maxLength: 4 }),
        fc.dictionary(key, tie("json"), { maxKeys: 4 }),
      ),
    }));
    fc.assert(
      fc.property(json, fc.constantFrom(0, 2), (value, blanks) => {
        const text = JSON.stringify(value, null, blanks);
        const { light, media, whole } = read(text);
        expect(() => JSON.parse(light)).not.toThrow();
        // Line breaks in a medium are left out.
        const plain = (each: unknown) =>
          typeof each === "string" && each.startsWith("data:") ? each.replace(/\s/g, "") : each;
        expect(JSON.parse(whole, (_, each) => plain(each))).toEqual(
          JSON.parse(text, (_, each) => plain(each)),
        );
        if (media.size === 0) expect(light).toBe(text);
      }),
    );
  });
});
