import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type StatorProcess, startUp } from "./stator-process.ts";
import { structuredOutputSuite } from "./structured-output-suite.ts";
import { tokenTexts } from "./vocabulary.ts";

/** The official OpenAI SDK against the real model, as in `openai.test.ts`, with answers that take long to compute. */
let stator: StatorProcess;
let url: string;
let openai: OpenAI;

beforeAll(async () => {
  stator = startUp();
  url = await stator.url();
  openai = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
});

afterAll(async () => {
  expect(await stator.stop()).toBe(0);
});

const model = "SmolLM2-135M-Instruct";
const question: OpenAI.ChatCompletionMessageParam[] = [
  { role: "system", content: "You are a helpful AI assistant." },
  { role: "user", content: "What is the capital of France?" },
];
const ask = { model, messages: question, temperature: 0, max_tokens: 24 };

describe("chat completions", () => {
  test("the same seed gives the same answer, another seed a different one", async () => {
    const create = (seed: number) =>
      openai.chat.completions.create({
        ...ask,
        temperature: 1,
        seed,
        messages: [{ role: "user", content: "Tell a story." }],
      });
    const texts = [];
    for (const seed of [7, 7, 8]) texts.push((await create(seed)).choices[0]!.message.content);
    expect(texts[0]).toBe(texts[1]);
    expect(texts[0]).not.toBe(texts[2]);
  });

  test("gives n different answers, streamed and not", async () => {
    const request = { ...ask, temperature: 1, seed: 1, n: 3, max_tokens: 12 };
    const whole = await openai.chat.completions.create(request);
    expect(whole.choices.map((choice) => choice.index)).toEqual([0, 1, 2]);
    expect(new Set(whole.choices.map((choice) => choice.message.content)).size).toBeGreaterThan(1);
    const texts = ["", "", ""];
    for await (const chunk of await openai.chat.completions.create({ ...request, stream: true })) {
      for (const choice of chunk.choices) texts[choice.index] += choice.delta.content ?? "";
    }
    expect(texts).toEqual(whole.choices.map((choice) => choice.message.content));
  });

  test("obeys logit_bias, penalties and ignore_eos", async () => {
    const tokens = await openai.completions.create({
      model,
      prompt: " Paris",
      max_tokens: 1,
      logprobs: 0,
      echo: true,
    });
    expect(tokens.choices[0]!.logprobs!.tokens![0]).toBe(" Paris");
    const plain = await openai.chat.completions.create(ask);
    const paris = (await tokenTexts()).get(" Paris")!;
    const biased = await openai.chat.completions.create({ ...ask, logit_bias: { [paris]: -100 } });
    expect(biased.choices[0]!.message.content).not.toContain(" Paris");
    const repetitive = {
      ...ask,
      messages: [{ role: "user" as const, content: "How do I boil an egg?" }],
      max_tokens: 60,
    };
    const [free, punished] = [
      await openai.chat.completions.create(repetitive),
      await openai.chat.completions.create({ ...repetitive, frequency_penalty: 2, presence_penalty: 1 }),
    ];
    expect(distinctWords(punished.choices[0]!.message.content!)).toBeGreaterThan(
      distinctWords(free.choices[0]!.message.content!),
    );
    const endless = await openai.chat.completions.create({ ...ask, ...{ ignore_eos: true } });
    expect(endless.usage!.completion_tokens).toBe(ask.max_tokens);
    expect(plain.usage!.completion_tokens).toBeLessThan(ask.max_tokens);
  });

  test("answers 16 streams at once, each with its own text", async () => {
    const words = "red blue green sun moon star tree bird fish hand door book road song fire snow".split(" ");
    const vocabulary = await tokenTexts();
    const answers = await Promise.all(
      words.map(async (word) => {
        // A bias of 100 leaves the model no other word, so mixed-up answers would show.
        const logit_bias = { [vocabulary.get(` ${word}`)!]: 100 };
        const prompt = `The word is ${word}:`;
        const stream = await openai.completions.create({
          model,
          prompt,
          logit_bias,
          max_tokens: 12,
          stream: true,
        });
        let text = "";
        for await (const chunk of stream) text += chunk.choices[0]!.text;
        return text;
      }),
    );
    expect(answers).toEqual(words.map((word) => ` ${word}`.repeat(12)));
  });
});

// In this file because it takes the same processes, which are slow to start.
describe("structured output", () => structuredOutputSuite(() => url));

const distinctWords = (text: string) => new Set(text.toLowerCase().match(/\w+/g)).size;
