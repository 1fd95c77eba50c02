import type { Context } from "hono";
import { randomId } from "#runtime";
import type { GatewayEnv } from "../../access/env.ts";
import type { GatewayDependencies } from "../dependencies.ts";
import { readPrompts } from "../openai/prompts.ts";
import { cosineSimilarity } from "../openai/vector-math.ts";
import { answerFromVectors } from "../openai/vectors.ts";
import { readRanking } from "./read-request.ts";
import { type RerankRequest, rerankRequest } from "./schemas.ts";

/** `POST /v1/rerank` */
export async function rerank(
  context: Context<GatewayEnv>,
  dependencies: GatewayDependencies,
  raw: unknown,
  hasOthers: boolean,
): Promise<Response> {
  const { model, body } = readRanking(context, dependencies, rerankRequest, raw);
  const texts = body.documents.map(textOf);
  const [query, documents] = await Promise.all([
    readPrompts(textOf(body.query), model, "query"),
    readPrompts(texts, model, "documents"),
  ]);
  return answerFromVectors(context, dependencies, {
    endpoint: "rerank",
    model,
    body,
    inputs: [...query, ...documents],
    hasOthers,
    answer([queryVector, ...vectors], usage) {
      const scores = vectors.map((vector) => cosineSimilarity(queryVector!, vector));
      const best = bestFirst(scores).slice(0, body.top_n || undefined);
      const results = best.map((index) => ({
        index,
        ...(body.return_documents !== false && { document: { text: texts[index] } }),
        relevance_score: scores[index],
      }));
      return { id: `rerank-${randomId()}`, model: model.card.name, usage, results };
    },
  });
}

const textOf = (document: RerankRequest["query"]) =>
  typeof document === "string" ? document : document.text;

/** The indexes of scores, highest first; equal ones stay in order. */
const bestFirst = (scores: readonly number[]): number[] =>
  [...scores.keys()].sort((a, b) => scores[b]! - scores[a]!);
