import type { Context } from "hono";
import type { Grammar } from "#runtime";
import type { GatewayEnv } from "../../access/env.ts";
import { invalidRequest } from "../../kernel/errors.ts";
import type { WorkerSide } from "../../models/model.ts";
import type { AnswerReading } from "../../requests/tokens/job.ts";
import { exactPrompt } from "../../routing/prompt.ts";
import type { GatewayDependencies } from "../dependencies.ts";
import { streamAnswer, wholeAnswer } from "./answer.ts";
import type { AnswerFormat, AnswerHead } from "./format.ts";
import { identified, type OwnPromptMedia } from "./own-media.ts";
import { beginRequest, expectedAnswer } from "./request.ts";
import { requestSalt } from "./request-salt.ts";
import { forChoice, requireLogprobs, samplingOf } from "./sampling.ts";
import type { GenerationFields } from "./schemas.ts";

/** What chat and text completion requests have in common. */
export interface Question {
  /** Its name in metrics. */
  endpoint: "chat" | "completions" | "messages" | "responses";
  /** The answer's id. */
  id: string;
  model: WorkerSide;
  /** The LoRA adapter that answers, if the request names one. */
  adapter: string | undefined;
  /** Whether another model may answer if this one cannot. */
  hasOthers: boolean;
  body: GenerationFields;
  /** Each gets `n` answers. */
  prompts: readonly { tokens: Uint32Array; media?: OwnPromptMedia | undefined; maxTokens: number }[];
  stops: readonly string[];
  /** What the answers keep to; undefined if they are free. */
  grammar: Grammar | undefined;
  /** How many of the most likely tokens to return with each one; undefined for no log probabilities. */
  logprobs: number | undefined;
  echoLogprobs: boolean;
  /** How answers are separated into text, reasoning and calls; undefined if all of it is text. */
  reading?: AnswerReading | undefined;
  format(head: AnswerHead): AnswerFormat;
}

/** Generates the answers, streamed or as one body. */
export async function respond(
  context: Context<GatewayEnv>,
  dependencies: GatewayDependencies,
  question: Question,
): Promise<Response> {
  const { model, adapter, body, logprobs, stops, grammar, echoLogprobs } = question;
  requireLogprobs(logprobs !== undefined, model);
  const sampling = samplingOf(body, model);
  const salts = await Promise.all(
    question.prompts.map(({ tokens }) => requestSalt(context, dependencies, model, body.cache_salt, tokens)),
  );
  const n = body.n ?? 1;
  const includeUsage = body.stream_options?.include_usage === true;
  const expected = {
    promptTokens: question.prompts.reduce(
      (sum, { tokens, media }) => sum + (media?.prompt.tokens ?? tokens).length,
      0,
    ),
    completionTokens: expectedAnswer(body) * question.prompts.length,
  };
  const request = beginRequest(context, body, model, question.endpoint, expected, dependencies);
  const { requestId, preferences, explain, headers, onSettled, onFallback } = request;
  const jobs = question.prompts.flatMap(({ tokens, media, maxTokens }, prompt) =>
    Array.from({ length: n }, (_, index) => ({
      requestId,
      model,
      prompt: media?.prompt ?? exactPrompt(tokens),
      ...(media && {
        media: { tokens, items: identified(media.media, salts[prompt]?.namespace), param: media.param },
      }),
      salt: adapter === undefined ? salts[prompt] : { ...salts[prompt], loraName: adapter },
      maxTokens,
      sampling: forChoice(sampling, index),
      stops,
      grammar,
      ignoreEos: body.ignore_eos === true,
      logprobs,
      echoLogprobs,
      reading: question.reading,
      preferences,
      isRepeatable: true,
      hasFallback: question.hasOthers,
    })),
  );
  const format = question.format({
    id: question.id,
    created: Math.floor(Date.now() / 1000),
    model: adapter ?? model.card.name,
    vocabulary: model.tokenizer.vocabulary,
    includeUsage,
    hasLogprobs: logprobs !== undefined,
    promptTokens: expected.promptTokens,
  });
  const { detached } = context.var;
  const answer = body.stream || detached !== undefined ? streamAnswer : wholeAnswer;
  const plan = { detached, jobs, format, choicesPerPrompt: n, headers, explain, onSettled, onFallback };
  return answer(context, dependencies, plan);
}

/** @throws ApiError 400 for stream options in a request that is not streamed */
export function requireStreamForOptions(body: GenerationFields): void {
  if (!body.stream_options || body.stream) return;
  throw invalidRequest("'stream_options' is only allowed with 'stream' set to true.", "stream_options");
}
