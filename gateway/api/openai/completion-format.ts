import type { Vocabulary } from "../../prompts/tokenizers/vocabulary.ts";
import type { TokenInfo } from "../../requests/tokens/job.ts";
import {
  type AnswerFormat,
  type AnswerHead,
  eventWriter,
  finiteLogprob,
  tokenText,
  usageObject,
} from "./format.ts";

/**
 * Answers of `/v1/completions`.
 * @param echoes for each choice, the prompt text that precedes the answer; empty without `echo`
 */
export function completionFormat(head: AnswerHead, echoes: readonly string[]): AnswerFormat {
  const { id, created, model, vocabulary } = head;
  const { choice, end, error } = eventWriter(head, "text_completion");
  const chunk = (index: number, text: string, logprobs: string, finishReason: string) =>
    choice(index, `"text":${text}`, logprobs, finishReason);
  // The offset of each choice's next token in its text, in characters.
  const offsets: number[] = [];
  const streamLogprobs = (index: number, tokens: readonly TokenInfo[] | undefined) => {
    if (tokens === undefined) return "null";
    const { logprobs, end } = completionLogprobs(vocabulary, tokens, offsets[index] ?? 0);
    offsets[index] = end;
    return JSON.stringify(logprobs);
  };
  return {
    first: (index) => {
      const echo = echoes[index] ?? "";
      return echo === "" || head.hasLogprobs ? "" : chunk(index, JSON.stringify(echo), "null", "null");
    },
    text: (index, text, tokens) => chunk(index, JSON.stringify(text), streamLogprobs(index, tokens), "null"),
    // These answers have no parts.
    reasoning: () => "",
    call: () => "",
    arguments: () => "",
    echo: (index, tokens) =>
      chunk(index, JSON.stringify(echoes[index] ?? ""), streamLogprobs(index, tokens), "null"),
    last: (index, { finishReason }) => chunk(index, '""', "null", `"${finishReason}"`),
    end,
    error,
    whole: (choices, total) => ({
      id,
      object: "text_completion",
      created,
      model,
      system_fingerprint: null,
      choices: choices.map(({ index, text, tokens, finishReason }) => ({
        index,
        text: (echoes[index] ?? "") + text,
        logprobs: head.hasLogprobs ? completionLogprobs(vocabulary, tokens, 0).logprobs : null,
        finish_reason: finishReason,
      })),
      usage: usageObject(total),
    }),
  };
}

function completionLogprobs(vocabulary: Vocabulary, tokens: readonly TokenInfo[], start: number) {
  const offsets: number[] = [];
  let end = start;
  for (const { id } of tokens) {
    offsets.push(end);
    end += vocabulary.isControl(id) ? 0 : tokenText(vocabulary, id).length;
  }
  const number = (logprob: number) => (Number.isNaN(logprob) ? null : finiteLogprob(logprob));
  const topOf = ({ logprob, top }: TokenInfo) =>
    Number.isNaN(logprob)
      ? null
      : Object.fromEntries(top.map(([id, value]) => [tokenText(vocabulary, id), finiteLogprob(value)]));
  const logprobs = {
    tokens: tokens.map(({ id }) => tokenText(vocabulary, id)),
    token_logprobs: tokens.map(({ logprob }) => number(logprob)),
    top_logprobs: tokens.map(topOf),
    text_offset: offsets,
  };
  return { logprobs, end };
}
