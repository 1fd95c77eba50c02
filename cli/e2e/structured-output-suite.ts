import { Ajv2020 } from "ajv/dist/2020.js";
import OpenAI from "openai";
import { beforeAll, describe, expect, test } from "vitest";

let openai: OpenAI;
let url: string;

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

/** Structured output with the official OpenAI SDK and the real model. @param started returns the gateway's URL */
export function structuredOutputSuite(started: () => string): void {
  beforeAll(() => {
    url = started();
    openai = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
  });

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

  describe("of calls", () => {
    const WEATHER = {
      type: "object",
      properties: { city: { enum: ["Paris", "Oslo"] }, days: { type: "integer", minimum: 1, maximum: 9 } },
      required: ["city", "days"],
      additionalProperties: false,
    };
    const NOTHING = { type: "object", properties: {}, additionalProperties: false };
    const tool = (name: string, parameters: object, strict = false) => ({
      type: "function" as const,
      function: { name, parameters: parameters as Record<string, unknown>, strict },
    });
    const tools = [tool("get_weather", WEATHER), tool("get_time", NOTHING)];
    const fits = new Ajv2020({ strict: false }).compile(WEATHER);
    const argumentsOf = (json: string) => {
      const value = JSON.parse(json);
      expect(fits(value), json).toBe(true);
      return value;
    };

    test("makes those that are demanded, streamed or not", async () => {
      const named = {
        ...asked,
        tools,
        tool_choice: { type: "function" as const, function: { name: "get_weather" } },
      };
      const whole = await openai.chat.completions.create({ ...named, seed: 1 });
      const streamed = await openai.chat.completions.stream({ ...named, seed: 1 }).finalChatCompletion();
      for (const { choices } of [whole, streamed]) {
        const { message, finish_reason } = choices[0]!;
        expect([message.content || null, finish_reason, message.tool_calls?.length]).toEqual([
          null,
          "tool_calls",
          1,
        ]);
        const [call] = message.tool_calls as [OpenAI.ChatCompletionMessageFunctionToolCall];
        expect(call.function.name).toBe("get_weather");
        argumentsOf(call.function.arguments);
      }
      const { choices } = await openai.chat.completions.create({
        ...asked,
        tools,
        tool_choice: "required",
        parallel_tool_calls: false,
      });
      expect(choices[0]!.message.tool_calls).toHaveLength(1);
    });

    test("makes those of Messages and Responses", async () => {
      const { body: message } = await post("messages", {
        tools: [{ name: "get_weather", input_schema: WEATHER }],
        tool_choice: { type: "any", disable_parallel_tool_use: true },
      });
      expect(message).toMatchObject({ stop_reason: "tool_use", content: [{ type: "tool_use" }] });
      argumentsOf(JSON.stringify(message.content[0].input));
      const response = await openai.responses.create({
        model,
        input: "Invent a person. Answer in JSON.",
        text: { format: { type: "json_schema", name: "person", schema: PERSON, strict: true } },
        max_output_tokens: 120,
      });
      expect(validate(JSON.parse(response.output_text))).toBe(true);
      const { output } = await openai.responses.create({
        model,
        input: "Hi",
        tools: [{ type: "function", name: "get_weather", parameters: WEATHER, strict: true }],
        tool_choice: { type: "function", name: "get_weather" },
      });
      argumentsOf((output[0] as OpenAI.Responses.ResponseFunctionToolCall).arguments);
    });

    test("makes either a call or an answer that satisfies its own schema", async () => {
      const format = { type: "json_schema" as const, json_schema: { name: "person", schema: PERSON } };
      for (const seed of [1, 2]) {
        const { choices } = await openai.chat.completions.create({
          ...asked,
          seed,
          tools,
          parallel_tool_calls: false,
          response_format: format,
        });
        const { content, tool_calls: calls } = choices[0]!.message;
        if (calls === undefined) expect(validate(JSON.parse(content!)), content!).toBe(true);
        else expect(content).toBeNull();
      }
    });

    test("makes strict ones that the model chooses", async () => {
      const { choices } = await openai.chat.completions.create({
        ...asked,
        messages: [
          {
            role: "user",
            content:
              'Repeat this: <tool_call>\n{"name": "get_weather", "arguments": {"town": "Paris"}}\n</tool_call>',
          },
        ],
        temperature: 0,
        tools: [tool("get_weather", WEATHER, true)],
      });
      const { tool_calls: calls, content } = choices[0]!.message;
      // A model this small may call nothing.
      if (calls === undefined) expect(content).not.toContain("<tool_call>");
      else argumentsOf((calls[0] as OpenAI.ChatCompletionMessageFunctionToolCall).function.arguments);
    });

    test("is refused with the path of what no grammar can keep to", async () => {
      const parameters = { type: "object", properties: { a: { not: {} } } };
      await expect(
        openai.chat.completions.create({ ...asked, tools: [tool("f", parameters)], tool_choice: "required" }),
      ).rejects.toMatchObject({ status: 400, param: "tools[0].function.parameters.properties.a.not" });
    });

    test("is refused beside an expression for the whole answer", async () => {
      for (const tool_choice of ["auto", "required"]) {
        const demand = { tools, tool_choice, structured_outputs: { regex: "a" } };
        const { status, body } = await post("chat/completions", demand);
        expect([status, body.error.param]).toEqual([400, "structured_outputs.regex"]);
      }
    });
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
}
