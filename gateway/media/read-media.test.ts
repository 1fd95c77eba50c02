import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { joinBytes } from "../kernel/bytes.ts";
import { webByteTools } from "./byte-tools.ts";
import { withoutMedia } from "./excise.ts";
import { MediaFetcher, type OpenUrl } from "./fetch.ts";
import { type MediaRules, readMedia } from "./read-media.ts";
import { JPEG, OTHER_PNG, PNG, pngOf, wav } from "./test-media.ts";

/** The pages of a web on which there is nothing else. */
const open: OpenUrl = async ({ url }) => {
  const content = PAGES[url.pathname];
  if (content === undefined) throw new Error("There is nothing.");
  return {
    status: 200,
    header: () => undefined,
    body: (async function* () {
      yield Buffer.from(content, "base64");
    })(),
    cancel() {},
  };
};
const PAGES: Readonly<Record<string, string>> = { "/png": PNG, "/jpeg": JPEG, "/text": btoa("No picture.") };

const limits = { domains: ["a.example"], maxBytes: 20_000, timeoutMs: 1_000, cacheBytes: 100_000 };
const rules: MediaRules = {
  fetcher: new MediaFetcher(open, limits, webByteTools),
  maxBytes: 20_000,
  maxCount: 3,
  maxPixels: 10_000,
  tools: webByteTools,
};
const noFetching = { ...rules, fetcher: undefined };

async function read(body: object, own: MediaRules = rules) {
  const light = withoutMedia(new TextEncoder().encode(JSON.stringify(body)), webByteTools);
  const json = JSON.parse(new TextDecoder().decode(light.bytes));
  const checked = await readMedia(light, json, own, { owner: "", vllmModel: undefined });
  const whole = joinBytes(checked.light.media.restore(checked.light.bytes));
  return { ...checked, whole: JSON.parse(new TextDecoder().decode(whole)) };
}

const part = (url: string, type = "image_url") => ({ type, [type]: { url } });
const png = (base64 = PNG) => part(`data:image/png;base64,${base64}`);
const chat = (...content: object[]) => ({ model: "m", messages: [{ role: "user", content }] });
const source = (fields: object, type = "image") => ({ type, source: fields });

describe("media of a request", () => {
  test("that are as engines expect them leave the body as it is", async () => {
    const body = chat(png(), part(`data:audio/wav;base64,${wav()}`, "audio_url"), {
      type: "input_audio",
      input_audio: { data: wav(), format: "wav" },
    });
    const { whole, light, media } = await read(body);
    expect(whole).toEqual(body);
    expect(light.bytes.length).toBeLessThan(700);
    const [image] = JSON.parse(new TextDecoder().decode(light.bytes)).messages[0].content;
    expect(media.find(image.image_url.url)!.info).toMatchObject({ width: 6, height: 4 });
  });

  test.each([
    ["base64 without its padding", PNG.replace(/=+$/, "")],
    ["base64 for URLs", PNG.replaceAll("+", "-").replaceAll("/", "_")],
    ["base64 with line breaks", PNG.replace(/.{60}/g, "$&\r\n")],
    ["an escaped base64", PNG.replaceAll("+", "%2B").replaceAll("/", "%2f").replaceAll("=", "%3D")],
  ])("as %s are written as engines expect them", async (_what, base64) => {
    const { whole } = await read(chat(png(base64)));
    expect(whole).toEqual(chat(png()));
  });

  test("as base64 for URLs are recognised by a single character, wherever it is", async () => {
    const silence = wav(3000);
    const late = `${silence.slice(0, -8)}/${silence.slice(-7)}`;
    const sound = (base64: string) => chat(part(`data:audio/wav;base64,${base64}`, "audio_url"));
    const { whole } = await read(sound(late.replace("/", "_")));
    expect(whole).toEqual(sound(late));
  });

  test("without the head of a data: URL get one that tells what they are", async () => {
    const { whole } = await read(chat(part(JPEG)));
    expect(whole).toEqual(chat(part(`data:image/jpeg;base64,${JPEG}`)));
  });

  test.each([
    ["a chat", chat(part("https://a.example/png")), chat(png())],
    [
      "a message",
      chat(source({ type: "url", url: "https://a.example/jpeg" })),
      chat(source({ type: "base64", media_type: "image/jpeg", data: JPEG })),
    ],
    [
      "a response",
      { input: [{ content: [{ type: "input_image", image_url: "https://a.example/png" }] }] },
      { input: [{ content: [{ type: "input_image", image_url: `data:image/png;base64,${PNG}` }] }] },
    ],
    [
      "a response's file",
      { input: [{ content: [{ type: "input_file", file_url: "https://a.example/png" }] }] },
      { input: [{ content: [{ type: "input_file", file_data: `data:image/png;base64,${PNG}` }] }] },
    ],
  ])("that %s names are fetched, and sent themselves", async (_what, body, expected) => {
    expect((await read(body)).whole).toEqual(expected);
  });

  test("numbers in a body whose media were fetched stay as they are written", async () => {
    const text = JSON.stringify(chat(part("https://a.example/png"))).replace(
      '"model":"m"',
      '"seed":18446744073709551615,"model":"m"',
    );
    const light = withoutMedia(new TextEncoder().encode(text), webByteTools);
    const checked = await readMedia(light, JSON.parse(text), rules, { owner: "", vllmModel: undefined });
    expect(new TextDecoder().decode(checked.light.bytes)).toContain('"seed":18446744073709551615');
  });

  test.each<[string, object, string, string | RegExp]>([
    ["is empty", part("data:image/png;base64,"), "image_url", /it is empty/],
    [
      "is text",
      part(`data:image/png;base64,${btoa("Not a picture.")}`),
      "image_url",
      /it is not an image \(PNG/,
    ],
    ["is cut off", part(`data:image/png;base64,${PNG.slice(0, 24)}`), "image_url", /cut off/],
    ["has no pixels", png(pngOf(0, 4)), "image_url", /no pixels|damaged/],
    [
      "has too many pixels",
      png(pngOf(50_000, 50_000)),
      "image_url",
      /50000 × 50000 pixels.*Send a smaller one/,
    ],
    [
      "is too large",
      part(`data:audio/wav;base64,${wav(10_000)}`, "audio_url"),
      "audio_url",
      /Send a smaller one/,
    ],
    ["is no base64", part("data:image/png;base64,****"), "image_url", /not valid base64|not an image/],
    ["is not in base64", part("data:image/svg+xml,%3Csvg%3E"), "image_url", /not in base64/],
    ["is audio", part(`data:image/png;base64,${wav()}`), "image_url", /not an image.*but audio \(WAV\)/],
    [
      "is no audio",
      { input_audio: { data: PNG, format: "wav" } },
      "input_audio",
      /not audio.*but an image \(PNG\)/,
    ],
    ["is no video", part(`data:video/mp4;base64,${wav()}`, "video_url"), "video_url", /not a video/],
    ["is a path", part("/etc/passwd"), "image_url", /not an image|base64/],
    ["is a file", part("file:///etc/passwd"), "image_url", /not a plain http/],
    ["may not be fetched", part("https://b.example/png"), "image_url", /operator decides/],
    [
      "cannot be fetched",
      part("https://a.example/none"),
      "image_url",
      /could not be fetched. There is nothing./,
    ],
    ["is fetched, and none", part("https://a.example/text"), "image_url", /it is not an image/],
    [
      "is no PDF",
      source({ type: "base64", media_type: "application/pdf", data: btoa("No PDF") }, "document"),
      "source",
      /called a PDF/,
    ],
  ])("that %s are refused", async (_what, one, field, message) => {
    const param = `messages[0].content[1].${field}`;
    await expect(read(chat({ type: "text", text: "?" }, one))).rejects.toMatchObject({
      status: 400,
      param,
      message: expect.stringMatching(message),
    });
  });

  test("that are only named are refused if nothing is fetched, before anything else is read", async () => {
    const body = chat(part("data:image/png;base64,AAAA"), part("https://a.example/png"));
    await expect(read(body, noFetching)).rejects.toMatchObject({
      status: 400,
      param: "messages[0].content[1].image_url",
      code: "media_url_not_allowed",
      message: expect.stringContaining("ask the server's operator"),
    });
  });

  test("that are too many are refused", async () => {
    await expect(read(chat(png(), png(), png(), png()))).rejects.toMatchObject({
      param: "messages[0].content[3].image_url",
      message: expect.stringContaining("Send fewer."),
    });
  });

  test("of which several are faulty are refused for the first", async () => {
    const faulty = [part("data:image/png;base64,AAAA"), png(OTHER_PNG), part("data:image/png;base64,")];
    await expect(read(chat(...faulty))).rejects.toMatchObject({ param: "messages[0].content[0].image_url" });
  });
});

const PARTS = {
  image: (data: string) => part(`data:image/png;base64,${data}`),
  audio: (data: string) => ({ type: "input_audio", input_audio: { data, format: "wav" } }),
  video: (data: string) => part(`data:video/mp4;base64,${data}`, "video_url"),
  document: (data: string) => source({ type: "base64", media_type: "application/pdf", data }, "document"),
};

test("whatever a client sends in a part, it is passed on or refused with its path", async () => {
  const seeds = [PNG, OTHER_PNG, JPEG, wav(20)].map((base64) => Buffer.from(base64, "base64"));
  const mutated = fc
    .tuple(
      fc.constantFrom(...seeds),
      fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 8 }),
      fc.nat(400),
    )
    .map(([seed, changes, length]) => {
      const bytes = Buffer.from(seed);
      for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
      return bytes.subarray(0, Math.max(1, bytes.length - length)).toString("base64");
    });
  const text = fc.oneof(
    mutated,
    fc.string(),
    fc.base64String(),
    fc.uint8Array().map((bytes) => Buffer.from(bytes).toString("base64")),
  );
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...Object.values(PARTS)), text, async (build, data) => {
      const outcome = await read(chat(build(data)), noFetching).catch((error: unknown) => error);
      if (!(outcome instanceof Error)) return;
      expect(outcome).toMatchObject({
        status: 400,
        param: expect.stringMatching(/^messages\[0\]\.content\[0\]\./),
      });
    }),
    { numRuns: 400 },
  );
});
