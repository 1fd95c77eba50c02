import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { beforeAll, describe, expect, test } from "vitest";
import { OTHER_PNG, PNG } from "../../../gateway/media/test-media.ts";
import { type OwnGateway, startOwnGateway } from "./own-gateway.ts";
import { Seer } from "./seer.ts";

/** Media in the results of tools, for workers. */
const seer = new Seer("seer");
const blind = new Seer("blind", { media: undefined });
let gateway: OwnGateway;
let openai: OpenAI;
let anthropic: Anthropic;

beforeAll(async () => {
  gateway = await startOwnGateway({ seer, blind });
  openai = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: "none", maxRetries: 0 });
  anthropic = new Anthropic({ apiKey: "none", baseURL: gateway.url, maxRetries: 0 });
});

const url = (base64: string) => `data:image/png;base64,${base64}`;
const image = (base64: string) => ({ type: "image_url" as const, image_url: { url: url(base64) } });
const text = (content: string) => ({ type: "text" as const, text: content });
const size = (base64: string) => Buffer.from(base64, "base64").length;
const PICTURE = `[image image/png ${size(PNG)}]`;

const refusal = (path: string, body: object) => gateway.refusal(path, body);

describe("pictures in a tool's result are where the result is", () => {
  const draws = (id: string) => ({
    id,
    type: "function" as const,
    function: { name: "draw", arguments: "{}" },
  });
  const EXPECTED = `t:Here:\n${PICTURE};t:[image image/png ${size(OTHER_PNG)}];u:Which?;`;

  test("in chats", async () => {
    const messages = [
      { role: "user", content: "Draw." },
      { role: "assistant", content: "", tool_calls: [draws("a"), draws("b")] },
      { role: "tool", tool_call_id: "a", content: [text("Here:"), image(PNG)] },
      { role: "tool", tool_call_id: "b", content: [image(OTHER_PNG)] },
      { role: "user", content: "Which?" },
    ];
    const answer = await gateway.post("/v1/chat/completions", { model: "seer", messages });
    const { choices, usage } = (await answer.json()) as OpenAI.ChatCompletion;
    expect(choices[0]!.message.content).toContain(EXPECTED);
    const { count } = (await (await gateway.post("/v1/tokenize", { model: "seer", messages })).json()) as {
      count: number;
    };
    expect(count).toBe(usage!.prompt_tokens);
  });

  test("in Messages", async () => {
    const source = (data: string) => ({ type: "base64" as const, media_type: "image/png" as const, data });
    const { content } = await anthropic.messages.create({
      model: "seer",
      max_tokens: 500,
      messages: [
        { role: "user", content: "Draw." },
        {
          role: "assistant",
          content: ["a", "b"].map((id) => ({ type: "tool_use", id, name: "draw", input: {} })),
        },
        {
          role: "user",
          content: [
            {
              type: "tool_result",
              tool_use_id: "a",
              content: [text("Here:"), { type: "image", source: source(PNG) }],
            },
            {
              type: "tool_result",
              tool_use_id: "b",
              content: [{ type: "image", source: source(OTHER_PNG) }],
            },
            text("Which?"),
          ],
        },
      ],
    });
    expect(content).toMatchObject([{ text: expect.stringContaining(EXPECTED) }]);
  });

  test("in Responses", async () => {
    const call = (id: string) => ({
      ...{ type: "function_call" as const, call_id: id, name: "draw", arguments: "{}" },
    });
    const shown = (picture: string) => ({
      ...{ type: "input_image" as const, image_url: url(picture), detail: "auto" as const },
    });
    const input: OpenAI.Responses.ResponseInput = [
      { role: "user", content: "Draw." },
      call("a"),
      call("b"),
      {
        type: "function_call_output",
        call_id: "a",
        output: [{ type: "input_text", text: "Here:" }, shown(PNG)],
      },
      { type: "function_call_output", call_id: "b", output: [shown(OTHER_PNG)] },
      { role: "user", content: "Which?" },
    ];
    const first = await openai.responses.create({ model: "seer", input });
    expect(first.output_text).toContain(EXPECTED);
    const second = await openai.responses.create({
      model: "seer",
      previous_response_id: first.id,
      input: "And?",
    });
    expect(second.output_text).toContain(EXPECTED);
    expect(await refusal("/v1/responses", { model: "blind", input })).toMatchObject({
      ...{ status: 400, code: "unsupported_parameter" },
    });
  });

  test("if one is faulty, the error has its path", async () => {
    const output = [{ type: "input_image", image_url: url("AAAA") }];
    const input = [{ type: "function_call_output", call_id: "a", output }];
    expect(await refusal("/v1/responses", { model: "seer", input })).toMatchObject({
      ...{ status: 400, code: "invalid_media", param: "input[0].output[0].image_url" },
    });
  });
});
