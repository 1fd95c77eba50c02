import type { Context } from "hono";
import { randomId } from "#runtime";
import { readJsonBody } from "../../access/body.ts";
import type { GatewayDependencies } from "../../dependencies.ts";
import type { GatewayEnv } from "../../env.ts";
import { invalidRequest } from "../../errors.ts";
import { answerTokens } from "../../pipeline/preprocess/limits.ts";
import { streamAnswer, wholeAnswer } from "./answer.ts";
import { completionFormat } from "./completion-format.ts";
import { readPrompts } from "./prompts.ts";
import { beginRequest, requireApi } from "./request.ts";
import { forChoice, requireLogprobs, samplingOf, stopsOf } from "./sampling.ts";
import { type CompletionRequest, completionRequest } from "./schemas.ts";
import { refuseUnsupported, validate } from "./validate.ts";

const UNSUPPORTED = { suffix: "Leave it out." };

/** OpenAI's default for this route. */
const DEFAULT_MAX_TOKENS = 16;

/** Answers that one request may ask for: prompts times `n`. */
const MAX_ANSWERS = 256;

/** `POST /v1/completions` */
export async function completions(
  context: Context<GatewayEnv>,
  dependencies: GatewayDependencies,
): Promise<Response> {
  const raw = await readJsonBody(context.req.raw, dependencies.bodyLimit);
  refuseUnsupported(raw, UNSUPPORTED);
  const body = validate(completionRequest, raw);
  checkCombinations(body);
  const model = dependencies.models.get(body.model);
  requireApi(model, "completions");
  const hasLogprobs = body.logprobs !== undefined && body.logprobs !== null;
  requireLogprobs(hasLogprobs, model);
  const sampling = samplingOf(body, model);
  const prompts = await readPrompts(body.prompt, model, "prompt");
  const maxTokens = prompts.map(({ tokens }) =>
    answerTokens(tokens.length, body.max_tokens ?? DEFAULT_MAX_TOKENS, model, "prompt"),
  );

  const n = body.n ?? 1;
  const includeUsage = body.stream_options?.include_usage === true;
  const { requestId, pinnedWorker, explain, onSettled } = beginRequest(
    context,
    model,
    "completions",
    dependencies,
  );
  const jobs = prompts.flatMap(({ tokens }, promptIndex) =>
    Array.from({ length: n }, (_, index) => ({
      requestId,
      model,
      prompt: tokens,
      maxTokens: maxTokens[promptIndex]!,
      sampling: forChoice(sampling, index),
      stops: stopsOf(body.stop),
      ignoreEos: body.ignore_eos === true,
      logprobs: body.logprobs ?? undefined,
      echoLogprobs: body.echo === true && hasLogprobs,
      pinnedWorker,
    })),
  );
  const format = completionFormat(
    {
      id: `cmpl-${randomId()}`,
      created: Math.floor(Date.now() / 1000),
      model: model.card.name,
      vocabulary: model.tokenizer.vocabulary,
      includeUsage,
      hasLogprobs,
    },
    prompts.flatMap(({ text }) => Array.from({ length: n }, () => (body.echo ? text : ""))),
  );
  const answer = body.stream ? streamAnswer : wholeAnswer;
  const headers = { "x-request-id": requestId };
  return answer(context, dependencies, {
    jobs,
    format,
    includeUsage,
    choicesPerPrompt: n,
    headers,
    explain,
    onSettled,
  });
}

function checkCombinations(body: CompletionRequest): void {
  const prompts = Array.isArray(body.prompt) && typeof body.prompt[0] !== "number" ? body.prompt.length : 1;
  if (prompts * (body.n ?? 1) > MAX_ANSWERS) {
    throw invalidRequest(`One request may ask for ${MAX_ANSWERS} answers at most (prompts times 'n').`, "n");
  }
  if (body.max_tokens === 0 && !body.echo) {
    throw invalidRequest("'max_tokens' of 0 is only allowed with 'echo' set to true.", "max_tokens");
  }
  if (body.stream_options && !body.stream) {
    throw invalidRequest("'stream_options' is only allowed with 'stream' set to true.", "stream_options");
  }
  if (body.best_of && body.best_of !== (body.n ?? 1)) {
    throw invalidRequest("'best_of' other than 'n' is not supported.", "best_of", "unsupported_parameter");
  }
}
