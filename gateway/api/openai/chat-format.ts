import type { Vocabulary } from "../../prompts/tokenizers/vocabulary.ts";
import type { TokenInfo } from "../../requests/tokens/job.ts";
import {
  type AnswerFormat,
  type AnswerHead,
  type Choice,
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
  const { choice, end, error } = eventWriter(head, "chat.completion.chunk");
  const chunk = (index: number, delta: string, logprobs: string, finishReason: string) =>
    choice(index, `"delta":${delta}`, logprobs, finishReason);
  const logprobsJson = (tokens: readonly TokenInfo[] | undefined) =>
    tokens === undefined ? "null" : JSON.stringify(chatLogprobs(vocabulary, tokens));
  /** How many calls each choice has. */
  const calls: number[] = [];
  return {
    first: (index) => chunk(index, '{"role":"assistant","content":""}', "null", "null"),
    text: (index, text, tokens) =>
      chunk(index, `{"content":${JSON.stringify(text)}}`, logprobsJson(tokens), "null"),
    reasoning: (index, text, tokens) => {
      const json = JSON.stringify(text);
      return chunk(index, `{"reasoning_content":${json},"reasoning":${json}}`, logprobsJson(tokens), "null");
    },
    call: (index, name, callId) => {
      const number = calls[index] ?? 0;
      calls[index] = number + 1;
      const call = { index: number, id: callId, type: "function", function: { name, arguments: "" } };
      return chunk(index, `{"tool_calls":[${JSON.stringify(call)}]}`, "null", "null");
    },
    arguments: (index, json) =>
      chunk(
        index,
        `{"tool_calls":[{"index":${calls[index]! - 1},"function":{"arguments":${JSON.stringify(json)}}}]}`,
        "null",
        "null",
      ),
    echo: () => "",
    last: (index, { finishReason, stopString }) => {
      const stop = stopString === undefined ? "" : `,"stop_reason":${JSON.stringify(stopString)}`;
      return choice(index, `"delta":{}${stop}`, "null", `"${finishReason}"`);
    },
    end,
    error,
    whole: (choices, total) => ({
      id,
      object: "chat.completion",
      created,
      model,
      system_fingerprint: null,
      choices: choices.map((answer) => ({
        index: answer.index,
        message: messageOf(answer),
        logprobs: head.hasLogprobs ? chatLogprobs(vocabulary, answer.tokens) : null,
        finish_reason: answer.finishReason,
        // As in vLLM: which stop string it was.
        ...(answer.stopString !== undefined && { stop_reason: answer.stopString }),
      })),
      usage: usageObject(total),
    }),
  };
}

function messageOf({ text, reasoning, calls }: Choice) {
  return {
    role: "assistant",
    content: text === "" && calls.length > 0 ? null : text,
    refusal: null,
    // Clients differ in the name that they read.
    ...(reasoning !== "" && { reasoning_content: reasoning, reasoning }),
    ...(calls.length > 0 && {
      tool_calls: calls.map(({ id, ...call }) => ({ id, type: "function", function: call })),
    }),
  };
}

export function chatLogprobs(vocabulary: Vocabulary, tokens: readonly TokenInfo[]) {
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
