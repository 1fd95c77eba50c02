import { z } from "zod";

/**
 * The request bodies of `/v1/chat/completions` and `/v1/completions`. Fields that OpenAI defines and that do
 * not change an answer here (`user`, `metadata`, `store`, …) are accepted; unknown fields are ignored, as
 * SDKs send new ones before servers know them. `null` means absent, as in OpenAI's API.
 */

const tokenId = z.number().int().min(0).max(0xffff_ffff);

const stop = z.union([z.string().min(1), z.array(z.string().min(1)).max(4)]);

const logitBias = z.record(
  z.string().regex(/^\d+$/, "Keys of logit_bias are token ids."),
  z.number().min(-100).max(100),
);

/** Parameters that both kinds of completion share. */
const sampling = {
  model: z.string().min(1),
  max_tokens: z.number().int().min(0).nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
  top_k: z.number().int().min(-1).max(1_000_000).nullish(),
  min_p: z.number().min(0).max(1).nullish(),
  frequency_penalty: z.number().min(-2).max(2).nullish(),
  presence_penalty: z.number().min(-2).max(2).nullish(),
  repetition_penalty: z.number().gt(0).max(10).nullish(),
  stop: stop.nullish(),
  seed: z.number().int().nullish(),
  n: z.number().int().min(1).max(16).nullish(),
  logit_bias: logitBias.nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().nullish() }).nullish(),
  ignore_eos: z.boolean().nullish(),
  user: z.string().nullish(),
  metadata: z.record(z.string(), z.unknown()).nullish(),
};

const textPart = z.object({ type: z.literal("text"), text: z.string() });

const message = z.object({
  role: z.enum(["system", "developer", "user", "assistant", "tool"]),
  content: z.union([z.string(), z.array(textPart)]).nullish(),
  name: z.string().nullish(),
});

export const chatCompletionRequest = z.object({
  ...sampling,
  messages: z.array(message).min(1),
  max_completion_tokens: z.number().int().min(1).nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.number().int().min(0).max(20).nullish(),
});

export const completionRequest = z.object({
  ...sampling,
  prompt: z.union([
    z.string(),
    z.array(z.string()).min(1).max(256),
    z.array(tokenId).min(1),
    z.array(z.array(tokenId).min(1)).min(1).max(256),
  ]),
  echo: z.boolean().nullish(),
  logprobs: z.number().int().min(0).max(20).nullish(),
  best_of: z.number().int().min(1).nullish(),
  suffix: z.string().nullish(),
});

export const embeddingRequest = z.object({
  model: z.string().min(1),
  input: z.union([
    z.string().min(1),
    z.array(z.string().min(1)).min(1).max(2048),
    z.array(tokenId).min(1),
    z.array(z.array(tokenId).min(1)).min(1).max(2048),
  ]),
  encoding_format: z.enum(["float", "base64"]).nullish(),
  dimensions: z.number().int().min(1).nullish(),
  user: z.string().nullish(),
});

export type ChatCompletionRequest = z.infer<typeof chatCompletionRequest>;
export type CompletionRequest = z.infer<typeof completionRequest>;
export type EmbeddingRequest = z.infer<typeof embeddingRequest>;
export type ChatMessage = ChatCompletionRequest["messages"][number];
