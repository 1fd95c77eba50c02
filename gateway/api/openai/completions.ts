import type { Context } from "hono";
import { randomId } from "#runtime";
import type { GatewayEnv } from "../../access/env.ts";
import { invalidRequest } from "../../kernel/errors.ts";
import { answerTokens } from "../../prompts/limits.ts";
import type { GatewayDependencies } from "../dependencies.ts";
import { completionFormat } from "./completion-format.ts";
import { readPrompts } from "./prompts.ts";
import { requireApi } from "./request.ts";
import { requireStreamForOptions, respond } from "./respond.ts";
import { stopsOf } from "./sampling.ts";
import { type CompletionRequest, completionRequest } from "./schemas.ts";
import { grammarOf } from "./structured-output.ts";
import { refuseUnsupported, validate } from "./validate.ts";

const UNSUPPORTED = {
  suffix: "Leave it out.",
  prompt_logprobs: "Send 'echo' and 'logprobs': the prompt's tokens then come with theirs.",
};

/** OpenAI's default for this route. */
const DEFAULT_MAX_TOKENS = 16;

/** Most answers per request: prompts times `n`. */
const MAX_ANSWERS = 256;

/** `POST /v1/completions` */
export async function completions(
  context: Context<GatewayEnv>,
  dependencies: GatewayDependencies,
  raw: unknown,
  hasOthers: boolean,
): Promise<Response> {
  refuseUnsupported(raw, UNSUPPORTED);
  const body = validate(completionRequest, raw);
  checkCombinations(body);
  const { model, adapter } = dependencies.models.answering(body.model);
  requireApi(model, "completions");
  const prompts = await readPrompts(body.prompt, model, "prompt");
  const asked = body.max_tokens ?? DEFAULT_MAX_TOKENS;
  const n = body.n ?? 1;
  const logprobs = body.logprobs ?? undefined;
  return respond(context, dependencies, {
    endpoint: "completions",
    id: `cmpl-${randomId()}`,
    model,
    adapter,
    hasOthers,
    body,
    prompts: prompts.map(({ tokens }) => ({
      tokens,
      maxTokens: answerTokens(tokens.length, asked, model, "prompt"),
    })),
    stops: stopsOf(body.stop),
    grammar: grammarOf(body, model),
    logprobs,
    echoLogprobs: body.echo === true && logprobs !== undefined,
    format: (head) =>
      completionFormat(
        head,
        prompts.flatMap(({ text }) => Array<string>(n).fill(body.echo ? text : "")),
      ),
  });
}

function checkCombinations(body: CompletionRequest): void {
  const prompts = Array.isArray(body.prompt) && typeof body.prompt[0] !== "number" ? body.prompt.length : 1;
  if (prompts * (body.n ?? 1) > MAX_ANSWERS) {
    throw invalidRequest(`A request may ask for at most ${MAX_ANSWERS} answers (prompts times 'n').`, "n");
  }
  if (body.max_tokens === 0 && !body.echo) {
    throw invalidRequest("'max_tokens' of 0 is only allowed with 'echo' set to true.", "max_tokens");
  }
  requireStreamForOptions(body);
  if (body.best_of && body.best_of !== (body.n ?? 1)) {
    throw invalidRequest("'best_of' other than 'n' is not supported.", "best_of", "unsupported_parameter");
  }
}
