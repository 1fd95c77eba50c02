import { beforeAll, describe, expect, test } from "vitest";
import type { GenerateRequest } from "#runtime";
import type { Delta, Engine } from "#workers";
import { openEcho } from "../../../workers/echo/engine.ts";
import { type OwnGateway, startOwnGateway } from "./own-gateway.ts";

/** Misbehaving engines: the gateway enforces the request's limits on their answers. */
let gateway: OwnGateway;
/** Running answers per engine. */
const running: Record<string, number> = {};

const step = () => new Promise<void>((resolve) => setImmediate(resolve));

/** An echo, whose tokens are bytes, with a different answer. */
function engine(
  name: string,
  answer: (request: GenerateRequest, signal: AbortSignal) => AsyncIterable<Delta>,
): Engine {
  const echo = openEcho({ modelName: name });
  running[name] = 0;
  return {
    ...echo,
    card: { ...echo.card, features: { ...echo.card.features, logprobs: true } },
    async *generate(request, signal) {
      running[name]!++;
      try {
        yield* answer(request, signal);
      } finally {
        running[name]!--;
      }
    },
  };
}

/** Streams forever, this many tokens per step, even after an abort. */
const endless = (tokens: number) =>
  async function* (): AsyncGenerator<Delta> {
    for (;;) {
      await step();
      yield { tokenIds: Array.from({ length: tokens }, () => 0x61) };
    }
  };

/** The same without ever yielding to the event loop. */
async function* breathless(): AsyncGenerator<Delta> {
  for (;;) yield { tokenIds: [0x61] };
}

const once = (delta: Delta) =>
  async function* (): AsyncGenerator<Delta> {
    yield delta;
  };

const utf8 = (text: string) => [...new TextEncoder().encode(text)];

beforeAll(async () => {
  gateway = await startOwnGateway({
    single: engine("single", endless(1)),
    several: engine("several", endless(3)),
    breathless: engine("breathless", breathless),
    late: engine("late", once({ tokenIds: utf8("abcdefgh"), finish: "stop", stopToken: 257 })),
    last: engine("last", once({ tokenIds: utf8("abcde"), finish: "stop", stopToken: 257 })),
    half: engine("half", once({ tokenIds: utf8("Hi 😀").slice(0, -1), finish: "length" })),
    stopped: engine("stopped", once({ tokenIds: utf8("né").slice(0, -1), finish: "stop" })),
    foreign: engine("foreign", async function* () {
      yield { tokenIds: utf8("ab") };
      await step();
      yield { tokenIds: [0x63, 258] };
    }),
    "foreign-end": engine("foreign-end", once({ tokenIds: [], finish: "stop", stopToken: 4_000_000_000 })),
    "foreign-top": engine(
      "foreign-top",
      once({ tokenIds: [0x61], logprobs: [{ logprob: 0, top: [[999, -1]] }], finish: "length" }),
    ),
    fraction: engine("fraction", once({ tokenIds: [1.5], finish: "length" })),
  });
});

const chat = (model: string, fields: object) =>
  gateway.post("/v1/chat/completions", { model, messages: [{ role: "user", content: "Hi" }], ...fields });

const complete = (model: string, fields: object) =>
  gateway.post("/v1/completions", { model, prompt: "Hi", ...fields });

/** The events of a stream, without `[DONE]`. */
async function events(response: Response) {
  const lines = (await response.text())
    .split("\n\n")
    .filter((line) => line !== "" && line !== "data: [DONE]");
  return lines.map((line) => JSON.parse(line.replace(/^data: /, "")));
}

const idle = (model: string) => expect.poll(() => running[model]).toBe(0);

describe("an engine that ignores max_tokens", () => {
  test.each(["single", "several", "breathless"])("%s is cut off there and stopped", async (model) => {
    const answer = await (await complete(model, { max_tokens: 7 })).json();
    expect(answer.choices[0]).toMatchObject({ text: "aaaaaaa", finish_reason: "length" });
    expect(answer.usage).toMatchObject({ completion_tokens: 7 });
    await idle(model);
  });

  test.each(["single", "several", "breathless"])("%s is cut off in a stream too", async (model) => {
    const fields = { max_tokens: 7, stream: true, stream_options: { include_usage: true } };
    const all = await events(await chat(model, fields));
    expect(all.map(({ choices }) => choices[0]?.delta.content ?? "").join("")).toBe("aaaaaaa");
    expect(all.map(({ choices }) => choices[0]?.finish_reason ?? null).filter(Boolean)).toEqual(["length"]);
    expect(all.at(-1).usage.completion_tokens).toBe(7);
    await idle(model);
  });

  test("returns no log probabilities beyond it", async () => {
    const { choices } = await (await complete("several", { max_tokens: 4, logprobs: 0 })).json();
    expect(choices[0].logprobs.tokens).toEqual(["a", "a", "a", "a"]);
    await idle("several");
  });

  test.each(["late", "last"])("%s that stops on its own only after it ends with length", async (model) => {
    const answer = await (await complete(model, { max_tokens: 5 })).json();
    expect(answer.choices[0]).toMatchObject({ text: "abcde", finish_reason: "length" });
    expect(answer.usage.completion_tokens).toBe(5);
  });

  test("still honours an earlier stop string", async () => {
    const answer = await (await complete("late", { max_tokens: 5, stop: "d" })).json();
    expect(answer.choices[0]).toMatchObject({ text: "abc", finish_reason: "stop" });
  });
});

describe("half a character at the end", () => {
  test.each([
    ["half", "Hi ", 6, "length"],
    ["stopped", "n", 2, "stop"],
  ])("%s is held back, and counted", async (model, text, tokens, finish_reason) => {
    const answer = await (await chat(model, {})).json();
    expect(answer.choices[0]).toMatchObject({ message: { content: text }, finish_reason });
    expect(answer.usage.completion_tokens).toBe(tokens);
    const all = await events(await chat(model, { stream: true, stop: "never" }));
    expect(all.map(({ choices }) => choices[0].delta.content ?? "").join("")).toBe(text);
  });
});

describe("a token id outside the vocabulary", () => {
  const warnings = (worker: string) => gateway.logged.filter((line) => line.worker === worker);

  test.each([
    ["foreign", 258, {}],
    ["foreign-end", 4_000_000_000, {}],
    ["foreign-top", 999, { logprobs: true, top_logprobs: 1 }],
  ])("of %s fails the request, and the log names worker and id", async (model, token, fields) => {
    const response = await chat(model, fields);
    expect(response.status).toBe(502);
    const { error } = await response.json();
    expect(error).toMatchObject({ type: "server_error", code: "token_out_of_vocabulary" });
    expect(error.message).toContain(
      `The worker '${model}' answered with the token id ${token}, but the vocabulary of the model '${model}' ends at 257.`,
    );
    expect(warnings(model)).toMatchObject([{ token, model, vocabularySize: 258 }]);
    await idle(model);
  });

  test("in a stream is the last event, after the text before it", async () => {
    const all = await events(await chat("foreign", { stream: true }));
    expect(all.map(({ choices }) => choices?.[0].delta.content ?? "").join("")).toBe("ab");
    expect(all.at(-1).error).toMatchObject({ code: "token_out_of_vocabulary" });
  });

  test("that is not even an integer is reported by the worker", async () => {
    expect((await chat("fraction", {})).status).toBe(502);
    expect(gateway.logged).toContainEqual(
      expect.objectContaining({
        name: "fraction",
        message: "the engine failed a request",
        reason: expect.stringContaining("1.5 is not a token id"),
      }),
    );
  });
});
