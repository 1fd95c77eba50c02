import { describe, expect, test } from "vitest";
import { continuedBody, obstacleOf } from "./continuation.ts";
import { PartialAnswer } from "./partial-answer.ts";

function partial(text: string): PartialAnswer {
  const answer = new PartialAnswer();
  answer.text = text;
  return answer;
}

const chat = { model: "m", stream: true, messages: [{ role: "user", content: "Hi" }] };
const completion = { model: "m", stream: true, prompt: "Once" };

describe("a chat that broke off", () => {
  test("is continued with the partial answer as its last message", () => {
    expect(continuedBody("chat", { ...chat, seed: 7 }, partial("Hel"), 1)).toEqual({
      ...chat,
      seed: 7,
      messages: [...chat.messages, { role: "assistant", content: "Hel" }],
      continue_final_message: true,
      add_generation_prompt: false,
    });
  });

  test.each(["Hel", ""])(
    "is continued without a seed too large for a JavaScript number, after %j",
    (text) => {
      const { seed } = JSON.parse('{"seed":9223372036854775807}');
      expect(continuedBody("chat", { ...chat, seed }, partial(text), 1)).not.toHaveProperty("seed");
    },
  );

  test("that itself continued an answer gets a longer last message", () => {
    const messages = [...chat.messages, { role: "assistant", content: "Hel" }];
    const body = { ...chat, messages, continue_final_message: true, add_generation_prompt: false };
    const continued = continuedBody("chat", body, partial("lo"), 1);
    expect(continued?.messages).toEqual([...chat.messages, { role: "assistant", content: "Hello" }]);
  });

  test("is sent again unchanged if the client has no text yet", () => {
    expect(continuedBody("chat", { ...chat, max_tokens: 5 }, partial(""), 0)).toEqual({
      ...chat,
      max_tokens: 5,
    });
  });

  test("is limited to the remaining tokens", () => {
    const body = { ...chat, max_tokens: 10, max_completion_tokens: 12, min_tokens: 6 };
    expect(continuedBody("chat", body, partial("x"), 4)).toMatchObject({
      max_tokens: 6,
      max_completion_tokens: 8,
      min_tokens: 2,
    });
    expect(continuedBody("chat", body, partial("x"), 10)).toBeUndefined();
  });
});

describe("a text completion that broke off", () => {
  test("is continued with the text appended to its prompt", () => {
    expect(continuedBody("completions", completion, partial(" upon"), 1)?.prompt).toBe("Once upon");
    expect(continuedBody("completions", { ...completion, prompt: ["Once"] }, partial("!"), 1)?.prompt).toBe(
      "Once!",
    );
  });
});

describe("the obstacle to a continuation", () => {
  test("is absent for a plain stream", () => {
    expect(obstacleOf("chat", chat)).toBeUndefined();
    expect(obstacleOf("completions", completion)).toBeUndefined();
    expect(obstacleOf("chat", { ...chat, n: 1 })).toBeUndefined();
  });

  test.each([
    ["chat", { ...chat, stream: false }],
    ["chat", { ...chat, n: 2 }],
    ["chat", { ...chat, use_beam_search: true }],
    ["chat", { ...chat, messages: "none" }],
    ["completions", { ...completion, best_of: 2 }],
    ["completions", { ...completion, echo: true }],
    ["completions", { ...completion, prompt: ["a", "b"] }],
    ["completions", { ...completion, prompt: [1, 2, 3] }],
  ] as const)("exists for %s %j", (api, body) => {
    expect(obstacleOf(api, body)).toBeTypeOf("string");
  });
});
