import { Ajv2020 } from "ajv/dist/2020.js";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type StatorProcess, startUp } from "./stator-process.ts";

/** Structured output with the official OpenAI SDK and the real model, through real processes. */
let stator: StatorProcess;
let openai: OpenAI;
let url: string;

beforeAll(async () => {
  stator = startUp();
  url = await stator.url();
  openai = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
});

afterAll(async () => {
  expect(await stator.stop()).toBe(0);
});

const model = "SmolLM2-135M-Instruct";
const messages: OpenAI.ChatCompletionMessageParam[] = [
  { role: "user", content: "Invent a person. Answer in JSON." },
];
const PERSON = {
  type: "object",
  properties: {
    name: { type: "string", minLength: 1, maxLength: 10 },
    born: { type: "string", format: "date" },
    age: { type: "integer", minimum: 0, maximum: 130 },
    colour: { enum: ["red", "green", "blue"] },
  },
  required: ["name", "age", "colour"],
  additionalProperties: false,
};
const validate = new Ajv2020({ strict: false, formats: { date: /^\d{4}-\d\d-\d\d$/ } }).compile(PERSON);
const asked = { model, messages, temperature: 1, max_tokens: 120 };

/** Posts a body with parameters that the SDK does not know. */
async function post(path: string, body: object) {
  const response = await fetch(`${url}/v1/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ...asked, ...body }),
  });
  return { status: response.status, body: await response.json() };
}

const complete = async (fields: object): Promise<string> => {
  const { body } = await post("completions", { prompt: "My favourite colour is", ...fields });
  return body.choices?.[0].text ?? JSON.stringify(body);
};

describe("structured output", () => {
  test("satisfies a schema, whatever the seed, streamed or not", async () => {
    const format = {
      type: "json_schema" as const,
      json_schema: { name: "person", schema: PERSON, strict: true },
    };
    const answers = await Promise.all(
      [1, 2, 3].map(async (seed) => {
        const { choices } = await openai.chat.completions.create({ ...asked, seed, response_format: format });
        return choices[0]!;
      }),
    );
    for (const { message, finish_reason } of answers) {
      expect([message.content, validate(JSON.parse(message.content!))]).toEqual([message.content, true]);
      expect(finish_reason).toBe("stop");
    }
    const stream = await openai.chat.completions.create({
      ...asked,
      seed: 1,
      response_format: format,
      stream: true,
    });
    let text = "";
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
    expect(text).toBe(answers[0]!.message.content);
  });

  test("is any JSON object, with log probabilities", async () => {
    const { choices } = await openai.chat.completions.create({
      ...{
        ...asked,
        temperature: 0,
        response_format: { type: "json_object" },
        logprobs: true,
        top_logprobs: 2,
      },
    });
    const [{ message, logprobs, finish_reason }] = choices as [OpenAI.ChatCompletion.Choice];
    expect(message.content).toMatch(/^\{/);
    expect(logprobs!.content!.every(({ logprob }) => logprob <= 0)).toBe(true);
    if (finish_reason === "stop") expect(JSON.parse(message.content!)).toBeTypeOf("object");
  });

  test("is one of a choice, matches a regular expression, or keeps to a grammar", async () => {
    expect(["violet", "a bit of brown"]).toContain(
      await complete({ structured_outputs: { choice: ["violet", "a bit of brown"] } }),
    );
    expect(await complete({ guided_choice: ["é", "ß"], ignore_eos: true })).toMatch(/^[éß]$/);
    expect(await complete({ structured_outputs: { regex: "[A-Z]{2}-\\d{3}" } })).toMatch(/^[A-Z]{2}-\d{3}$/);
    expect(await complete({ guided_grammar: 'root ::= " " ("red" | "blue")+ "."' })).toMatch(
      /^ (red|blue)+\.$/,
    );
    expect(JSON.parse(await complete({ guided_json: JSON.stringify({ type: "boolean" }) }))).toBeTypeOf(
      "boolean",
    );
  });

  test("is refused with the path of what no grammar can keep to", async () => {
    const schema = { type: "object", properties: { a: { not: { type: "null" } } } };
    const param = "response_format.json_schema.schema.properties.a.not";
    await expect(
      openai.chat.completions.create({
        ...asked,
        response_format: { type: "json_schema", json_schema: { name: "x", schema } },
      }),
    ).rejects.toMatchObject({ status: 400, param, code: "unsupported_parameter" });
    const { status, body } = await post("chat/completions", {
      structured_outputs: { grammar: 'root ::= root "a" | "b"' },
    });
    expect([status, body.error.type]).toEqual([400, "invalid_request_error"]);
    expect(body.error.message).toContain("left recursion");
    expect(await complete({ guided_choice: ["still here"] })).toBe("still here");
  });
});
