import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type StatorProcess, startUp } from "./stator-process.ts";
import { tokenTexts } from "./vocabulary.ts";

/** The official OpenAI SDK against the real model, through real processes; `openai.slow.test.ts` has long answers. */
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

async function collect(stream: AsyncIterable<OpenAI.ChatCompletionChunk>) {
  const chunks: OpenAI.ChatCompletionChunk[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

const textOf = (chunks: readonly OpenAI.ChatCompletionChunk[]) =>
  chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("");

describe("chat completions", () => {
  test.each([
    ["What is the capital of France?", "The capital of France is Paris."],
    ["What is the capital of Italy?", "The capital of Italy is Rome."],
    ["Hello", "Hello! How can I assist you today?"],
  ])("answer %j sensibly without a system prompt", async (content, answer) => {
    const messages = [{ role: "user" as const, content }];
    const { choices } = await openai.chat.completions.create({ ...ask, messages });
    expect(choices[0]!.message.content).toBe(answer);
  });

  test("answers a question sensibly, with usage", async () => {
    const answer = await openai.chat.completions.create(ask);
    expect(answer.id).toMatch(/^chatcmpl-[0-9a-f]{16}$/);
    expect(answer.object).toBe("chat.completion");
    expect(answer.model).toBe(model);
    expect(Math.abs(answer.created - Date.now() / 1000)).toBeLessThan(60);
    expect(answer.choices).toHaveLength(1);
    expect(answer.choices[0]!.message).toMatchObject({
      role: "assistant",
      content: "The capital of France is Paris.",
    });
    expect(answer.choices[0]!.finish_reason).toBe("stop");
    const { prompt_tokens, completion_tokens, total_tokens, prompt_tokens_details } = answer.usage!;
    expect(prompt_tokens).toBeGreaterThan(20);
    expect(completion_tokens).toBe(8);
    expect(total_tokens).toBe(prompt_tokens + completion_tokens);
    expect(prompt_tokens_details!.cached_tokens).toBeGreaterThanOrEqual(0);
  });

  test("streams the same answer: role first, then text, then the finish reason, then usage", async () => {
    const chunks = await collect(
      await openai.chat.completions.create({ ...ask, stream: true, stream_options: { include_usage: true } }),
    );
    expect(new Set(chunks.map((chunk) => chunk.id)).size).toBe(1);
    expect(chunks[0]!.choices[0]!.delta).toEqual({ role: "assistant", content: "" });
    expect(textOf(chunks)).toBe("The capital of France is Paris.");
    expect(chunks.at(-2)!.choices[0]).toMatchObject({ delta: {}, finish_reason: "stop" });
    expect(chunks.at(-1)!.choices).toEqual([]);
    expect(chunks.at(-1)!.usage!.completion_tokens).toBe(8);
    expect(chunks.slice(0, -1).every((chunk) => chunk.usage === null)).toBe(true);
  });

  test("the stream is server-sent events that end in [DONE]", async () => {
    const body = JSON.stringify({ ...ask, stream: true, max_tokens: 2 });
    const response = await fetch(`${url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
    });
    expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    const events = (await response.text()).split("\n\n");
    expect(events.pop()).toBe("");
    expect(events.pop()).toBe("data: [DONE]");
    for (const event of events) expect(JSON.parse(event.replace(/^data: /, ""))).toHaveProperty("choices");
  });

  test("ends at a stop string, which is not part of the answer", async () => {
    const one = await openai.chat.completions.create({ ...ask, stop: "France" });
    expect(one.choices[0]).toMatchObject({ message: { content: "The capital of " }, finish_reason: "stop" });
    // The second one starts within one token and ends within another.
    const several = collect(
      await openai.chat.completions.create({ ...ask, stop: ["no such", "ce is Pa"], stream: true }),
    );
    expect(textOf(await several)).toBe("The capital of Fran");
  });

  test("ends at max_tokens and max_completion_tokens with reason length", async () => {
    const { max_tokens: _, ...unbounded } = ask;
    for (const bound of [{ max_tokens: 3 }, { max_completion_tokens: 3 }]) {
      const answer = await openai.chat.completions.create({ ...unbounded, ...bound });
      expect(answer.choices[0]!.finish_reason).toBe("length");
      expect(answer.usage!.completion_tokens).toBe(3);
    }
  });

  test("returns log probabilities, with the most likely tokens for each", async () => {
    const answer = await openai.chat.completions.create({ ...ask, logprobs: true, top_logprobs: 3 });
    const { content } = answer.choices[0]!.logprobs!;
    expect(content!.map((entry) => entry.token).join("")).toBe("The capital of France is Paris.");
    for (const { token, logprob, bytes, top_logprobs } of content!) {
      expect(logprob).toBeLessThanOrEqual(0);
      expect(Buffer.from(bytes!).toString()).toBe(token);
      expect(top_logprobs).toHaveLength(3);
      // At temperature 0 the most likely token is the chosen one.
      expect(top_logprobs[0]).toMatchObject({ token, logprob });
      expect(top_logprobs[1]!.logprob).toBeLessThanOrEqual(logprob);
    }
  });

  test("accepts text parts (joined as lines, as in vLLM), names, the developer role, user and metadata", async () => {
    const answer = await openai.chat.completions.create({
      ...ask,
      messages: [
        {
          role: "developer",
          content: [
            { type: "text", text: "You are a helpful assistant." },
            { type: "text", text: "Be brief." },
          ],
        },
        { role: "user", name: "ann", content: [{ type: "text", text: "What is the capital of France?" }] },
      ],
      user: "ann",
      metadata: { purpose: "test" },
    });
    const same = await openai.chat.completions.create({
      ...ask,
      messages: [
        { role: "system", content: "You are a helpful assistant.\nBe brief." },
        { role: "user", name: "ann", content: "What is the capital of France?" },
      ],
    });
    expect(answer.choices[0]!.message.content).toContain("Paris");
    expect(answer.choices[0]!.message.content).toBe(same.choices[0]!.message.content);
    expect(answer.usage!.prompt_tokens).toBe(same.usage!.prompt_tokens);
  });

  test("sends only whole characters, even if an emoji spans several tokens", async () => {
    const emoji = "🧑‍🚀🦄";
    const stream = await openai.completions.create({
      model,
      prompt: `${emoji}${emoji}${emoji}${emoji}`,
      echo: true,
      max_tokens: 24,
      temperature: 0,
      stream: true,
    });
    let text = "";
    for await (const chunk of stream) {
      const piece = chunk.choices[0]!.text;
      expect(piece.isWellFormed()).toBe(true);
      text += piece;
    }
    expect(text.startsWith(emoji.repeat(4))).toBe(true);
    expect(text.slice(emoji.length * 4)).not.toContain("�");
  });
});

describe("completions", () => {
  test("continues a text, by default 16 tokens", async () => {
    const answer = await openai.completions.create({ model, prompt: "Once upon a time", temperature: 0 });
    expect(answer.id).toMatch(/^cmpl-[0-9a-f]{16}$/);
    expect(answer.object).toBe("text_completion");
    expect(answer.choices[0]).toMatchObject({ index: 0, finish_reason: "length", logprobs: null });
    expect(answer.usage!.completion_tokens).toBe(16);
  });

  test("accepts several prompts, as texts and as token ids, and n of each", async () => {
    const texts = ["Once upon a time", "The sky is"];
    const ids = await Promise.all(texts.map(tokenIds));
    const request = { model, temperature: 0, max_tokens: 4, n: 2 };
    const fromTexts = await openai.completions.create({ ...request, prompt: texts });
    const fromIds = await openai.completions.create({ ...request, prompt: ids });
    expect(fromTexts.choices.map((choice) => choice.index)).toEqual([0, 1, 2, 3]);
    expect(fromIds.choices.map((choice) => choice.text)).toEqual(
      fromTexts.choices.map((choice) => choice.text),
    );
    expect(fromTexts.usage!.prompt_tokens).toBe(ids[0]!.length + ids[1]!.length);
    const single = await openai.completions.create({ ...request, n: 1, prompt: ids[1]! });
    expect(single.choices[0]!.text).toBe(fromTexts.choices[2]!.text);
  });

  test("echoes the prompt, with its log probabilities on request", async () => {
    const prompt = "The capital of France is";
    const request = { model, prompt, echo: true, temperature: 0, max_tokens: 2 };
    const echoed = await openai.completions.create(request);
    expect(echoed.choices[0]!.text.startsWith(prompt)).toBe(true);
    const scored = await openai.completions.create({ ...request, logprobs: 2 });
    const { tokens, token_logprobs, top_logprobs, text_offset } = scored.choices[0]!.logprobs!;
    expect(scored.choices[0]!.text).toBe(echoed.choices[0]!.text);
    expect(tokens!.join("")).toBe(scored.choices[0]!.text);
    expect(token_logprobs![0]).toBeNull();
    expect(token_logprobs!.slice(1).every((logprob) => logprob <= 0)).toBe(true);
    expect(Object.keys(top_logprobs![1]!)).toHaveLength(2);
    tokens!.forEach((token, index) => {
      expect(scored.choices[0]!.text.startsWith(token, text_offset![index])).toBe(true);
    });
    const onlyPrompt = await openai.completions.create({ ...request, max_tokens: 0, logprobs: 1 });
    expect(onlyPrompt.choices[0]!.text).toBe(prompt);
  });

  test("streams the same as a whole answer, log probabilities included", async () => {
    const request = {
      model,
      prompt: "Roses are red,",
      temperature: 0,
      max_tokens: 8,
      logprobs: 1,
      echo: true,
    };
    const whole = await openai.completions.create(request);
    let text = "";
    const tokens: string[] = [];
    const offsets: number[] = [];
    for await (const chunk of await openai.completions.create({ ...request, stream: true })) {
      text += chunk.choices[0]!.text;
      tokens.push(...(chunk.choices[0]!.logprobs?.tokens ?? []));
      offsets.push(...(chunk.choices[0]!.logprobs?.text_offset ?? []));
    }
    expect(text).toBe(whole.choices[0]!.text);
    expect(tokens).toEqual(whole.choices[0]!.logprobs!.tokens);
    expect(offsets).toEqual(whole.choices[0]!.logprobs!.text_offset);
  });
});

test("lists and describes its models, by name and alias", async () => {
  const { data } = await openai.models.list();
  expect(data.map((entry) => entry.id)).toEqual([model]);
  expect(await openai.models.retrieve("default")).toMatchObject({
    id: model,
    object: "model",
    owned_by: "stator",
  });
});

/** Token ids of a text, found by echoing each id as a prompt. */
async function tokenIds(text: string): Promise<number[]> {
  const { choices } = await openai.completions.create({
    model,
    prompt: text,
    echo: true,
    logprobs: 0,
    max_tokens: 0,
  });
  const vocabulary = await tokenTexts();
  return choices[0]!.logprobs!.tokens!.map((token) => vocabulary.get(token)!);
}
