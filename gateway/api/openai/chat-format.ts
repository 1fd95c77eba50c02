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
 * Answers of `/v1/chat/completions`. The constant parts of a stream are serialized once, so that a token costs
 * one escaped string and one concatenation.
 */
export function chatFormat(head: AnswerHead): AnswerFormat {
  const { id, created, model, vocabulary } = head;
  const { choice, usage } = eventWriter(head, "chat.completion.chunk");
  const chunk = (index: number, delta: string, logprobs: string, finishReason: string) =>
    choice(index, `"delta":${delta}`, logprobs, finishReason);
  const logprobsJson = (tokens: readonly TokenInfo[] | undefined) =>
    tokens === undefined ? "null" : JSON.stringify(chatLogprobs(vocabulary, tokens));
  return {
    first: (index) => chunk(index, '{"role":"assistant","content":""}', "null", "null"),
    text: (index, text, tokens) =>
      chunk(index, `{"content":${JSON.stringify(text)}}`, logprobsJson(tokens), "null"),
    echo: () => "",
    last: (index, finishReason) => chunk(index, "{}", "null", `"${finishReason}"`),
    usage,
    whole: (choices, total) => ({
      id,
      object: "chat.completion",
      created,
      model,
      system_fingerprint: null,
      choices: choices.map(({ index, text, tokens, finishReason }) => ({
        index,
        message: { role: "assistant", content: text, refusal: null },
        logprobs: head.hasLogprobs ? chatLogprobs(vocabulary, tokens) : null,
        finish_reason: finishReason,
      })),
      usage: usageObject(total),
    }),
  };
}

function chatLogprobs(vocabulary: Vocabulary, tokens: readonly TokenInfo[]) {
  const entry = (id: number, logprob: number) => ({
    token: tokenText(vocabulary, id),
    logprob: finiteLogprob(logprob),
    bytes: Array.from(vocabulary.bytes(id)),
  });
  return {
    content: tokens.map(({ id, logprob, top }) => ({
      ...entry(id, logprob),
      top_logprobs: top.map(([topId, topLogprob]) => entry(topId, topLogprob)),
    })),
    refusal: null,
  };
}
