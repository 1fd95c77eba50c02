import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import Anthropic from "@anthropic-ai/sdk";
import { APICallError, generateText, streamText } from "ai";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { StatorProcess } from "../../cli/e2e/stator-process.ts";
import { LlamaServer, MODEL } from "./llama-server.ts";

// Popular third-party clients with `stator attach` and two real llama.cpp servers.

let engines: LlamaServer[];
let stator: StatorProcess;
let url: string;

const QUESTION = "Count from one to five.";

beforeAll(async () => {
  engines = await Promise.all([LlamaServer.start(), LlamaServer.start()]);
  const urls = engines.map((engine) => engine.url);
  stator = new StatorProcess(["attach", ...urls, "--port=0", "--config=none"]);
  [, url = ""] = await stator.printed(/Send requests to (http:\S+)\/v1:/);
});

afterAll(async () => {
  expect(await stator.stop()).toBe(0);
});

describe("openai from npm", () => {
  const openai = () => new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
  const messages = [{ role: "user" as const, content: QUESTION }];
  const same = { model: MODEL, temperature: 0, max_tokens: 24 };

  test("gets the same answer streamed and unstreamed", async () => {
    const whole = await openai().chat.completions.create({ ...same, messages });
    const stream = await openai().chat.completions.create({
      ...same,
      messages,
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = "";
    let tokens: number | undefined;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? "";
      tokens = chunk.usage?.completion_tokens ?? tokens;
    }
    expect(text).not.toBe("");
    expect(text).toBe(whole.choices[0]!.message.content);
    expect(tokens).toBe(whole.usage!.completion_tokens);
  });

  test("can use completions, responses and models", async () => {
    const completion = await openai().completions.create({ ...same, prompt: "Once upon a time" });
    expect(completion.choices[0]!.text).not.toBe("");
    const response = await openai().responses.create({ model: MODEL, input: QUESTION, max_output_tokens: 8 });
    expect(response.output_text).not.toBe("");
    expect((await openai().models.list()).data.map(({ id }) => id)).toEqual([MODEL]);
  });

  test("gets a typed error", async () => {
    const asked = openai().chat.completions.create({ ...same, model: "smoll", messages });
    await expect(asked).rejects.toThrow(OpenAI.NotFoundError);
    await expect(asked).rejects.toMatchObject({
      code: "model_not_found",
      message: expect.stringContaining(`Did you mean '${MODEL}'?`),
    });
  });
});

test("openai from PyPI gets answers streamed and unstreamed, and typed errors", async () => {
  const python = join(import.meta.dirname, ".venv", "bin", "python");
  const script = join(import.meta.dirname, "openai_client.py");
  const { stdout } = await promisify(execFile)(python, [script, url, MODEL]);
  const { models, whole, parts, usage, completion, response, refusal } = JSON.parse(stdout);
  expect(models).toEqual([MODEL]);
  expect(whole).not.toBe("");
  expect(parts.join("")).toBe(whole);
  expect(parts.length).toBeGreaterThan(5);
  expect(usage).toBeGreaterThan(5);
  expect(completion).not.toBe("");
  expect(response).not.toBe("");
  expect(refusal).toMatchObject({ status: 404, code: "model_not_found" });
});

describe("@anthropic-ai/sdk", () => {
  const anthropic = () => new Anthropic({ baseURL: url, apiKey: "none", maxRetries: 0 });
  const question = {
    model: MODEL,
    max_tokens: 24,
    messages: [{ role: "user" as const, content: QUESTION }],
  };
  // Its types no longer have `temperature`, but llama.cpp accepts it.
  const steady = { ...question, ...{ temperature: 0 } };
  const textOf = (message: Anthropic.Message) =>
    message.content.map((block) => (block.type === "text" ? block.text : "")).join("");

  test("gets the same message streamed and unstreamed", async () => {
    const whole = await anthropic().messages.create(steady);
    let text = "";
    const stream = anthropic().messages.stream(steady);
    stream.on("text", (part) => {
      text += part;
    });
    const final = await stream.finalMessage();
    expect(text).not.toBe("");
    expect(text).toBe(textOf(whole));
    expect(textOf(final)).toBe(text);
    expect(final.usage.output_tokens).toBe(whole.usage.output_tokens);
  });

  test("counts tokens, and gets a typed error", async () => {
    const { input_tokens } = await anthropic().messages.countTokens({
      model: MODEL,
      messages: question.messages,
    });
    expect(input_tokens).toBeGreaterThan(5);
    await expect(anthropic().messages.create({ ...question, model: "smoll" })).rejects.toThrow(
      Anthropic.NotFoundError,
    );
  });
});

describe("Vercel's ai", () => {
  const providers = {
    "OpenAI's API": () => createOpenAICompatible({ name: "stator", baseURL: `${url}/v1` })(MODEL),
    "Anthropic's API": () => createAnthropic({ baseURL: `${url}/v1`, apiKey: "none" })(MODEL),
  };

  test.each(Object.entries(providers))(
    "gets the same text streamed and unstreamed over %s",
    async (_, model) => {
      const same = { model: model(), prompt: QUESTION, temperature: 0, maxOutputTokens: 24, maxRetries: 0 };
      const whole = await generateText(same);
      const parts: string[] = [];
      for await (const part of streamText(same).textStream) parts.push(part);
      expect(whole.text).not.toBe("");
      expect(parts.join("")).toBe(whole.text);
      expect(whole.usage.outputTokens).toBeGreaterThan(5);
    },
  );

  test("gets a typed error", async () => {
    const model = createOpenAICompatible({ name: "stator", baseURL: `${url}/v1` })("smoll");
    await expect(generateText({ model, prompt: QUESTION, maxRetries: 0 })).rejects.toThrow(APICallError);
  });
});

describe("llama.cpp", () => {
  const ask = async (content: string) => {
    const response = await fetch(`${url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-stator-explain": "true" },
      body: JSON.stringify({ model: MODEL, messages: [{ role: "user", content }], max_tokens: 1 }),
    });
    const { usage } = (await response.json()) as OpenAI.ChatCompletion;
    const { headers } = response;
    return {
      worker: headers.get("x-stator-worker"),
      overlap: Number(headers.get("x-stator-overlap-blocks")),
      cached: usage!.prompt_tokens_details!.cached_tokens!,
    };
  };

  test("gets the turns of a conversation on one server, from predictions alone", async () => {
    const beginnings = Array.from({ length: 6 }, (_, index) =>
      `Conversation ${index} has a long beginning that is ${index} times its own. `.repeat(12),
    );
    const first: string[] = [];
    for (const beginning of beginnings) first.push((await ask(beginning)).worker!);
    expect(new Set(first).size).toBe(2);
    for (const [index, beginning] of beginnings.entries()) {
      const { worker, overlap, cached } = await ask(`${beginning}And a second turn.`);
      expect(worker).toBe(first[index]);
      expect(overlap).toBeGreaterThan(0);
      expect(cached).toBeGreaterThan(100);
    }
  });

  test.for<[parameter: object, form: RegExp]>([
    [{ guided_regex: "[a-f]{3}-\\d{2}" }, /^[a-f]{3}-\d{2}$/],
    [{ structured_outputs: { choice: ["left", "right (both)"] } }, /^(left|right \(both\))$/],
    [{ structured_outputs: { grammar: 'root ::= "yes" " sir"?' } }, /^yes( sir)?$/],
    [{ guided_json: { enum: [1, "a"] } }, /^(1|"a")$/],
    [{ structured_outputs: { json_object: true } }, /^\{/],
  ])("keeps to vLLM's %j", async ([parameter, form]) => {
    const chat = { messages: [{ role: "user", content: "Which one?" }] };
    for (const [path, prompt] of [
      ["chat/completions", chat],
      ["completions", { prompt: "Which one?" }],
    ] as const) {
      const response = await fetch(`${url}/v1/${path}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ model: MODEL, ...prompt, max_tokens: 24, ...parameter }),
      });
      const answer = (await response.json()) as {
        choices: { message?: { content: string }; text?: string }[];
      };
      const [choice] = answer.choices;
      expect(choice!.message?.content ?? choice!.text).toMatch(form);
    }
  });

  test("passes the doctor, which reports that its cache is predicted", async () => {
    const doctor = new StatorProcess(["doctor", url, "--config=none"]);
    expect(await doctor.ended()).toBe(0);
    expect(doctor.stdout).toContain("It does not publish what its cache holds");
    expect(doctor.stdout).toContain("tokens of the test prompt came from its cache, as its answer reports");
    expect(stator.stdout).toContain("it publishes no KV events, so what its slots hold is predicted");
  });

  // Must be last, because it kills an engine.
  test("completes all answers when a server is killed", async () => {
    const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
    const ask = async (index: number, onText?: () => void) => {
      const stream = await openai.chat.completions.create({
        model: MODEL,
        messages: [{ role: "user", content: `Tell me a story about the number ${index}.` }],
        temperature: 0,
        max_tokens: 64,
        stream: true,
      });
      let text = "";
      let finish: string | null | undefined;
      for await (const chunk of stream) {
        text += chunk.choices[0]?.delta.content ?? "";
        finish = chunk.choices[0]?.finish_reason ?? finish;
        if (text !== "") onText?.();
      }
      return { text, finish };
    };
    let killed: Promise<void> | undefined;
    const begun = new Set<number>();
    const answers = await Promise.all(
      [1, 2, 3, 4, 5, 6].map((index) =>
        ask(index, () => {
          if (begun.add(index).size === 6) killed ??= engines[0]!.kill();
        }),
      ),
    );
    await killed;
    for (const { text, finish } of answers) {
      expect(text.length).toBeGreaterThan(40);
      expect(finish).toMatch(/^(length|stop)$/);
    }
  });
});
