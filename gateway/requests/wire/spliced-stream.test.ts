import { beforeEach, describe, expect, test } from "vitest";
import { readEvents } from "./event-text.ts";
import { PartialAnswer } from "./partial-answer.ts";
import { SplicedStream } from "./spliced-stream.ts";

const chunk = (fields: object) =>
  `data: ${JSON.stringify({ id: "a", created: 1, model: "m", ...fields })}\n\n`;
const delta = (fields: object, finish: string | null = null) => ({
  choices: [{ index: 0, delta: fields, finish_reason: finish }],
});

let partial: PartialAnswer;

beforeEach(() => {
  partial = new PartialAnswer();
  partial.addText(chunk(delta({ role: "assistant", content: "" })) + chunk(delta({ content: "Hel" })));
});

/** The client's events for these events from another engine. */
function splice(text: string, tokensBefore = 1): unknown[] {
  const { text: out, fault } = new SplicedStream(partial, tokensBefore).push(text);
  expect(fault).toBeUndefined();
  return readEvents(out).map(({ data }) => (data === "[DONE]" ? data : JSON.parse(data)));
}

describe("a partial answer", () => {
  test("has its text, its identity and its finish reason", () => {
    expect(partial).toMatchObject({
      text: "Hel",
      textEvents: 1,
      hasRole: true,
      finishReason: undefined,
      obstacle: undefined,
      identity: { id: "a", created: 1, model: "m" },
    });
    partial.addText(`${chunk(delta({ content: "lo" }, "stop"))}data: [DONE]\n\n`);
    expect(partial).toMatchObject({ text: "Hello", finishReason: "stop", isDone: true });
  });

  test.each([
    ["a tool call", delta({ tool_calls: [{ index: 0 }] })],
    ["reasoning", delta({ reasoning_content: "Hm" })],
    ["several choices", { choices: [{ index: 1, delta: { content: "x" } }] }],
  ])("cannot be continued after %s", (obstacle, fields) => {
    partial.addText(chunk(fields));
    expect(partial.obstacle).toBe(obstacle);
  });

  test("reads text completions too", () => {
    const completion = new PartialAnswer();
    completion.addText(chunk({ choices: [{ index: 0, text: "Once", finish_reason: null }] }));
    expect(completion).toMatchObject({ text: "Once", textEvents: 1 });
  });
});

describe("events from the engine that continues", () => {
  test("get the identity of the client's stream, and no second role event", () => {
    const other = { id: "b", created: 2, model: "other" };
    const text =
      chunk({ ...other, ...delta({ role: "assistant", content: "" }) }) +
      chunk({ ...other, ...delta({ content: "lo" }, "stop") }) +
      "data: [DONE]\n\n";
    expect(splice(text)).toEqual([
      { id: "a", created: 1, model: "m", ...delta({ content: "lo" }, "stop") },
      "[DONE]",
    ]);
    expect(partial).toMatchObject({ text: "Hello", isDone: true });
  });

  test("keep unknown fields", () => {
    expect(splice(chunk({ ...delta({ content: "lo" }), service_tier: "x" }))).toEqual([
      expect.objectContaining({ service_tier: "x" }),
    ]);
  });

  test("keep comments, which keep the client's connection alive", () => {
    const { text } = new SplicedStream(partial, 1).push(`: ping\r\n\r\n${chunk(delta({ content: "lo" }))}`);
    expect(text).toMatch(/^: ping\n\ndata: \{/);
  });

  test("report usage for the whole answer", () => {
    const usage = { prompt_tokens: 9, completion_tokens: 3, total_tokens: 12 };
    expect(splice(chunk({ choices: [], usage }), 4)).toEqual([
      expect.objectContaining({ usage: { prompt_tokens: 5, completion_tokens: 7, total_tokens: 12 } }),
    ]);
  });

  test("end at an error or garbage, and events before it count", () => {
    const text = `${chunk(delta({ content: "l" }))}data: {"error":{"message":"x"}}\n\n${chunk(delta({ content: "o" }))}`;
    const { text: out, fault } = new SplicedStream(partial, 1).push(text);
    expect(fault).toBeTypeOf("string");
    expect(readEvents(out)).toHaveLength(1);
    expect(partial.text).toBe("Hell");
  });
});
