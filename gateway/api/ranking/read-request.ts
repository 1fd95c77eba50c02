import type { Context } from "hono";
import type { z } from "zod";
import type { GatewayEnv } from "../../access/env.ts";
import type { WorkerSide } from "../../models/model.ts";
import type { GatewayDependencies } from "../dependencies.ts";
import { workersOf } from "../named-model.ts";
import { requireApi } from "../openai/request.ts";
import { refuseUnsupported, validate } from "../openai/validate.ts";

const SHORTEN = "Leave it out, and shorten the texts themselves; /v1/tokenize counts their tokens.";

/** Parameters that would change the scores. */
const UNSUPPORTED = {
  truncate_prompt_tokens: SHORTEN,
  max_tokens_per_doc: SHORTEN,
  max_chunks_per_doc: SHORTEN,
  rank_fields: "Leave it out, and send each document as a string or as {text}.",
};

/**
 * A request to compare texts by an embedding model, and its model.
 * @throws ApiError 404 or 400
 */
export function readRanking<Body>(
  context: Context<GatewayEnv>,
  { models }: GatewayDependencies,
  schema: z.ZodType<Body>,
  raw: unknown,
): { model: WorkerSide; body: Body } {
  const model = workersOf(context, models, raw);
  // Before the rest is validated: an engine of the same model may accept what workers do not.
  requireApi(model, "embeddings", context.req.path);
  refuseUnsupported(raw, UNSUPPORTED);
  return { model, body: validate(schema, raw) };
}
