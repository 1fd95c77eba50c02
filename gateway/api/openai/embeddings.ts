import type { Context } from "hono";
import type { GatewayEnv } from "../../access/env.ts";
import type { GatewayDependencies } from "../dependencies.ts";
import { readPrompts } from "./prompts.ts";
import { requireApi } from "./request.ts";
import { embeddingRequest } from "./schemas.ts";
import { validate } from "./validate.ts";
import { shortened, toBase64 } from "./vector-math.ts";
import { answerFromVectors } from "./vectors.ts";

/** `POST /v1/embeddings` */
export async function embeddings(
  context: Context<GatewayEnv>,
  dependencies: GatewayDependencies,
  raw: unknown,
  hasOthers: boolean,
): Promise<Response> {
  const body = validate(embeddingRequest, raw);
  const model = dependencies.models.ofWorkers(body.model);
  requireApi(model, "embeddings");
  const { dimensions, encoding_format: format } = body;
  return answerFromVectors(context, dependencies, {
    endpoint: "embeddings",
    model,
    body,
    inputs: await readPrompts(body.input, model, "input"),
    hasOthers,
    answer(vectors, usage) {
      const data = vectors.map((whole, index) => {
        const vector = dimensions ? shortened(whole, dimensions) : whole;
        return {
          object: "embedding",
          index,
          embedding: format === "base64" ? toBase64(vector) : Array.from(vector),
        };
      });
      return { object: "list", data, model: model.card.name, usage };
    },
  });
}
