import { describe, expect, test } from "vitest";
import { createVocabulary } from "../../prompts/tokenizers/vocabulary.ts";
import type { TokenInfo, TokenResult } from "../../requests/tokens/job.ts";
import { chatFormat } from "./chat-format.ts";
import { completionFormat } from "./completion-format.ts";
import type { AnswerHead } from "./format.ts";

const utf8 = new TextEncoder();
const vocabulary = createVocabulary([
  { bytes: utf8.encode("Hi"), control: false },
  { bytes: Uint8Array.of(0xf0, 0x9f), control: false },
]);
const head: AnswerHead = {
  id: "chatcmpl-1",
  created: 1_700_000_000,
  model: 'a "model"',
  vocabulary,
  includeUsage: false,
  hasLogprobs: false,
  promptTokens: 5,
};
const usage = { promptTokens: 5, completionTokens: 2, cachedTokens: 4 };
const ended = (finishReason: TokenResult["finishReason"]) => ({ finishReason, stopString: undefined, usage });
const tokens: TokenInfo[] = [
  { id: 0, logprob: -0.5, top: [[1, Number.NEGATIVE_INFINITY]] },
  { id: 1, logprob: Number.NaN, top: [] },
];
const USAGE =
  '{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7,"prompt_tokens_details":{"cached_tokens":4}}';

describe("chat completion chunks, to the byte", () => {
  const format = chatFormat(head);
  const chunk = (choices: string, tail = "") =>
    `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"a \\"model\\"","system_fingerprint":null,"choices":[${choices}]${tail}}\n\n`;

  test("the first chunk has the role", () => {
    expect(format.first(0)).toBe(
      chunk('{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}'),
    );
  });

  test("text is escaped as JSON and otherwise unchanged", () => {
    const text = (content: string) =>
      chunk(`{"index":3,"delta":{"content":${content}},"logprobs":null,"finish_reason":null}`);
    expect(format.text(3, "plain", undefined)).toBe(text('"plain"'));
    expect(format.text(3, '"\\\n\t\u0001', undefined)).toBe(text('"\\"\\\\\\n\\t\\u0001"'));
    expect(format.text(3, "äß😀\u2028", undefined)).toBe(text('"äß😀\u2028"'));
    expect(format.text(3, "\ud83d", undefined)).toBe(text('"\\ud83d"'));
  });

  test("log probabilities include each token, its bytes and the most likely alternatives", () => {
    expect(format.text(0, "Hi", tokens)).toBe(
      chunk(
        '{"index":0,"delta":{"content":"Hi"},"logprobs":{"content":[' +
          '{"token":"Hi","logprob":-0.5,"bytes":[72,105],"top_logprobs":[{"token":"bytes:\\\\xf0\\\\x9f","logprob":-9999,"bytes":[240,159]}]},' +
          '{"token":"bytes:\\\\xf0\\\\x9f","logprob":-9999,"bytes":[240,159],"top_logprobs":[]}],"refusal":null},"finish_reason":null}',
      ),
    );
  });

  test("the last chunk has the finish reason", () => {
    expect(format.last(1, ended("length"))).toBe(
      chunk('{"index":1,"delta":{},"logprobs":null,"finish_reason":"length"}'),
    );
  });

  test("with usage requested, every chunk has the field and a chunk without choices reports it", () => {
    const format = chatFormat({ ...head, includeUsage: true });
    expect(format.text(0, "a", undefined)).toBe(
      chunk('{"index":0,"delta":{"content":"a"},"logprobs":null,"finish_reason":null}', ',"usage":null'),
    );
    expect(format.end(usage)).toBe(`${chunk("", `,"usage":${USAGE}`)}data: [DONE]\n\n`);
  });
});

describe("completion chunks, to the byte", () => {
  const format = completionFormat(head, []);
  const chunk = (choices: string, tail = "") =>
    `data: {"id":"chatcmpl-1","object":"text_completion","created":1700000000,"model":"a \\"model\\"","system_fingerprint":null,"choices":[${choices}]${tail}}\n\n`;

  test("there is no first chunk unless the prompt is echoed", () => {
    expect(format.first(0)).toBe("");
    expect(completionFormat(head, ["", 'Say "x": ']).first(1)).toBe(
      chunk('{"index":1,"text":"Say \\"x\\": ","logprobs":null,"finish_reason":null}'),
    );
  });

  test("text is escaped as JSON and otherwise unchanged", () => {
    expect(format.text(0, "ä\n", undefined)).toBe(
      chunk('{"index":0,"text":"ä\\n","logprobs":null,"finish_reason":null}'),
    );
  });

  test("log probabilities include each token's offset in the choice's text, across chunks", () => {
    const format = completionFormat({ ...head, hasLogprobs: true }, []);
    const text = (offsets: string) =>
      chunk(
        '{"index":0,"text":"Hi","logprobs":{"tokens":["Hi","bytes:\\\\xf0\\\\x9f"],"token_logprobs":[-0.5,null],' +
          `"top_logprobs":[{"bytes:\\\\xf0\\\\x9f":-9999},null],"text_offset":[${offsets}]},"finish_reason":null}`,
      );
    expect(format.text(0, "Hi", tokens)).toBe(text("0,2"));
    expect(format.text(0, "Hi", tokens)).toBe(text("16,18"));
  });

  test("the last chunk has the finish reason, and usage comes without choices", () => {
    const format = completionFormat({ ...head, includeUsage: true }, []);
    expect(format.last(0, ended("stop"))).toBe(
      chunk('{"index":0,"text":"","logprobs":null,"finish_reason":"stop"}', ',"usage":null'),
    );
    expect(format.end(usage)).toBe(`${chunk("", `,"usage":${USAGE}`)}data: [DONE]\n\n`);
  });
});
