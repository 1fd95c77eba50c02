import { describe, expect, test } from "vitest";
import { describeToolFormat, parseAnyhow, type WrittenCall, withTools } from "../parsers.suite.ts";
import { gptOss } from "../reasoning/gpt-oss.ts";
import { harmony } from "./harmony.ts";

const write = ({ name, arguments: given }: WrittenCall) =>
  `<|channel|>commentary to=functions.${name} <|constrain|>json<|message|>${JSON.stringify(given)}<|call|>`;

describeToolFormat({
  format: harmony,
  write: (calls) => calls.map(write).join("<|start|>assistant"),
  isFramed: true,
  lookalikes: ["to=functions.now", "to=now, say"],
});

describe("the harmony parser", () => {
  const call = { name: "now", arguments: '{"a": 1}' };

  test.each([
    ["the recipient first", ' to=functions.now<|channel|>commentary json<|message|>{"a": 1}'],
    [
      "the recipient in the role",
      '<|start|>assistant to=functions.now<|channel|>commentary<|message|>{"a": 1}<|call|>',
    ],
    ["the wrong channel", '<|channel|>analysis to=functions.now code<|message|>{"a": 1}<|call|>'],
    ["the wrong end", '<|channel|>commentary to=functions.now<|message|>{"a": 1}<|end|>'],
    ["no namespace", '<|channel|>commentary to=now<|message|>{"a": 1}<|call|>'],
  ])("reads a call with %s", (_, text) => {
    const answer = { text: "", reasoning: "", calls: [call] };
    expect(parseAnyhow(withTools(harmony), text)).toEqual(answer);
    expect(parseAnyhow({ ...withTools(harmony), reasoning: gptOss }, text)).toEqual(answer);
  });

  test("drops the tokens around other messages", () => {
    const text = `<|channel|>analysis<|message|>I look.<|end|><|start|>assistant${write({ name: "now", arguments: {} })}`;
    expect(parseAnyhow(withTools(harmony), text)).toEqual({
      text: "I look.",
      reasoning: "",
      calls: [{ name: "now", arguments: "{}" }],
    });
  });

  test("takes what is not JSON for text", () => {
    const text = "<|channel|>analysis to=python code<|message|>print(1)<|call|>";
    expect(parseAnyhow(withTools(harmony), text)).toEqual({ text: "print(1)", reasoning: "", calls: [] });
  });
});
