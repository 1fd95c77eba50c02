import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { PlaneError } from "#runtime";
import { PNG } from "../../../gateway/media/test-media.ts";
import { type OwnGateway, startOwnGateway } from "./own-gateway.ts";
import { Seer } from "./seer.ts";

/** Media that workers never get to see. */
const seer = new Seer("seer");
const blind = new Seer("blind", { media: undefined });
let gateway: OwnGateway;

beforeAll(async () => {
  gateway = await startOwnGateway({ seer, blind });
});

beforeEach(() => {
  for (const engine of [seer, blind]) engine.requests.length = 0;
  seer.refuses = undefined;
});

const url = (base64: string, type = "image/png") => `data:${type};base64,${base64}`;
const image = (base64: string) => ({ type: "image_url" as const, image_url: { url: url(base64) } });
const text = (content: string) => ({ type: "text" as const, text: content });

const refusal = (path: string, body: object) => gateway.refusal(path, body);

describe("refused with the path of the part:", () => {
  const body = (content: object[], model = "seer") => ({ model, messages: [{ role: "user", content }] });

  test.each([
    ["text", Buffer.from("no picture at all").toString("base64"), "it is not an image"],
    ["a picture cut off", PNG.slice(0, 24), "cut off"],
    ["no base64", `${PNG.slice(0, -4)}!!!!`, "not valid base64"],
  ])("%s", async (_, data, reason) => {
    const error = await refusal("/v1/chat/completions", body([image(PNG), image(data)]));
    expect(error).toMatchObject({
      status: 400,
      param: "messages[0].content[1].image_url",
      code: "invalid_media",
      message: expect.stringContaining(reason),
    });
    expect(seer.requests).toEqual([]);
  });

  test("a URL, unless the gateway fetches media", async () => {
    const part = { type: "image_url", image_url: { url: "http://127.0.0.1/cat.png" } };
    expect(await refusal("/v1/chat/completions", body([part]))).toMatchObject({
      status: 400,
      param: "messages[0].content[0].image_url",
      code: "media_url_not_allowed",
    });
  });

  test("a kind that the model does not take", async () => {
    const part = { type: "video_url", video_url: { url: url(PNG, "video/mp4") } };
    expect(await refusal("/v1/chat/completions", body([part]))).toMatchObject({
      status: 400,
      param: "messages[0].content[0]",
      code: "unsupported_parameter",
      message: expect.stringContaining("'text', 'image_url', 'input_audio', 'audio_url'"),
    });
  });

  test("a bad picture in Messages and Responses", async () => {
    const source = { type: "base64", media_type: "image/png", data: "AAAA" };
    const inMessages = await refusal("/v1/messages", {
      ...body([{ type: "image", source }]),
      max_tokens: 10,
    });
    expect(inMessages).toMatchObject({
      status: 400,
      message: expect.stringContaining("messages[0].content[0].source"),
    });
    const content = [{ type: "input_image", image_url: url("AAAA") }];
    const input = [{ role: "user", content }];
    expect(await refusal("/v1/responses", { model: "seer", input })).toMatchObject({
      status: 400,
      param: "input[0].content[0].image_url",
    });
  });

  test("a detail that OpenAI does not have", async () => {
    for (const detail of ["auto", "low", "high", "original", null]) {
      const part = { type: "image_url", image_url: { url: url(PNG), detail } };
      expect((await gateway.post("/v1/chat/completions", body([part]))).status).toBe(200);
    }
    const part = { type: "image_url", image_url: { url: url(PNG), detail: "potato" } };
    expect(await refusal("/v1/chat/completions", body([text("Look:"), part]))).toMatchObject({
      status: 400,
      param: "messages[0].content[1].image_url.detail",
    });
    const content = [{ type: "input_image", image_url: url(PNG), detail: "potato" }];
    expect(
      await refusal("/v1/responses", { model: "seer", input: [{ role: "user", content }] }),
    ).toMatchObject({ status: 400, param: "input[0].content[0].detail" });
  });

  test("log probabilities of the prompt, as without media", async () => {
    for (const content of [[image(PNG)], [text("Hi")]])
      expect(await refusal("/v1/chat/completions", { ...body(content), prompt_logprobs: 0 })).toMatchObject({
        status: 400,
        param: "prompt_logprobs",
        code: "unsupported_parameter",
      });
  });

  test("a file of Anthropic's Files API, also in a tool's result", async () => {
    const file = { type: "image", source: { type: "file", file_id: "file_1" } };
    const messages = (part: object) => ({ ...body([part]), max_tokens: 10 });
    for (const [part, path] of [
      [file, "messages[0].content[0].source"],
      [
        { type: "tool_result", tool_use_id: "a", content: [file] },
        "messages[0].content[0].content[0].source",
      ],
    ] as const)
      expect(await refusal("/v1/messages", messages(part))).toMatchObject({
        status: 400,
        message: expect.stringMatching(`'${path.replaceAll(/[[\]]/g, "\\$&")}'.*'base64'.*'url'`),
      });
  });

  test("a document that is a file, or has a picture in its text", async () => {
    const source = { type: "base64", media_type: "application/pdf", data: "AAAA" };
    const picture = { type: "image", source: { type: "base64", media_type: "image/png", data: PNG } };
    const mixed = { type: "content", content: [text("Look:"), picture] };
    for (const [part, expected] of [
      [{ type: "document", source }, /'document' with a file .*\(messages\[0\]\.content\[0\]\).*'text'\.$/],
      [
        { type: "document", source: mixed },
        /'image' .*\(messages\[0\]\.content\[0\]\.source\.content\[1\]\)/,
      ],
    ] as const)
      expect(await refusal("/v1/messages", { ...body([part]), max_tokens: 10 })).toMatchObject({
        ...{ status: 400, message: expect.stringMatching(expected) },
      });
  });

  test("an uploaded file, in Responses and in items of a conversation", async () => {
    const content = [{ type: "input_image", file_id: "file-1", detail: "auto" }];
    const message = { role: "user", content };
    const output = { type: "function_call_output", call_id: "a", output: content };
    for (const [path, refused, param] of [
      ["/v1/responses", { model: "seer", input: [message] }, "input[0].content[0].file_id"],
      ["/v1/responses", { model: "seer", input: [output] }, "input[0].output[0].file_id"],
      ["/v1/conversations", { items: [{ type: "message", ...message }] }, "items[0].content[0].file_id"],
    ] as const)
      expect(await refusal(path, refused)).toMatchObject({
        ...{ status: 400, param, code: "unsupported_parameter" },
        message: expect.stringMatching(/no uploaded files here.*'image_url'/),
      });
  });

  test("a part without data, which vLLM would take from its cache", async () => {
    for (const type of ["image_url", "input_audio", "audio_url"])
      for (const data of [{ [type]: null, uuid: "cat" }, { uuid: "cat" }, { [type]: null }, { [type]: "" }])
        expect(await refusal("/v1/chat/completions", body([text("Look:"), { type, ...data }]))).toMatchObject(
          {
            ...{ status: 400, param: `messages[0].content[1].${type}` },
            message: expect.stringMatching(/no data.*not kept between requests.*data:/),
          },
        );
    const input = [{ role: "user", content: [{ type: "input_image", image_url: null }] }];
    expect(await refusal("/v1/responses", { model: "seer", input })).toMatchObject({
      ...{ status: 400, param: "input[0].content[0].image_url" },
      message: expect.stringContaining("no data"),
    });
  });

  test("any medium, where the model takes none", async () => {
    const chats = await refusal("/v1/chat/completions", body([image(PNG)], "blind"));
    expect(chats).toMatchObject({
      status: 400,
      param: "messages[0].content[0]",
      code: "unsupported_parameter",
    });
    const input = [{ role: "user", content: [{ type: "input_image", image_url: url(PNG) }] }];
    expect(await refusal("/v1/responses", { model: "blind", input })).toMatchObject({ status: 400 });
    const source = { type: "base64", media_type: "image/png", data: PNG };
    const messages = { ...body([{ type: "image", source }], "blind"), max_tokens: 10 };
    expect(await refusal("/v1/messages", messages)).toMatchObject({ status: 400 });
    expect(blind.requests).toEqual([]);
  });
});

describe("what an engine refuses", () => {
  const source = { type: "base64", media_type: "image/png", data: PNG };
  const content = [text("Which is larger?"), image(PNG), image(PNG)];
  const requests = [
    ["/v1/chat/completions", "messages[0].content[2].image_url", { messages: [{ role: "user", content }] }],
    [
      "/v1/responses",
      "input[0].content[1].image_url",
      {
        input: [{ role: "user", content: [1, 2].map(() => ({ type: "input_image", image_url: url(PNG) })) }],
      },
    ],
    [
      "/v1/messages",
      "messages[0].content[1].source",
      { max_tokens: 9, messages: [{ role: "user", content: [1, 2].map(() => ({ type: "image", source })) }] },
    ],
    [
      "/v1/messages/count_tokens",
      "messages[0].content[1].source",
      { messages: [{ role: "user", content: [1, 2].map(() => ({ type: "image", source })) }] },
    ],
  ] as const;

  test.each(requests)("of the media has its path: %s", async (path, param, body) => {
    seer.refuses = new PlaneError("invalid_media", "The file is damaged. Send it whole.", { medium: 1 });
    const error = await refusal(path, { model: "seer", ...body });
    const message = `Invalid value for '${param}'. The file is damaged. Send it whole.`;
    expect(error).toMatchObject({ status: 400, message });
    if (!path.startsWith("/v1/messages")) expect(error).toMatchObject({ param, code: "invalid_media" });
    expect(seer.requests).toHaveLength(1);
  });

  test.each(requests)("for its length says so in the API's own way: %s", async (path, _, body) => {
    seer.refuses = new PlaneError("context_length_exceeded", "The prompt has 9 tokens. Shorten it.");
    const error = await refusal(path, { model: "seer", ...body });
    expect(error).toMatchObject({ status: 400, message: "The prompt has 9 tokens. Shorten it." });
    if (!path.startsWith("/v1/messages")) expect(error).toMatchObject({ code: "context_length_exceeded" });
  });
});
