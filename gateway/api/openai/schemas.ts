import { z } from "zod";
import { statorExtension } from "./stator-extension.ts";

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

/** Any of 64 bits, as clients draw them; JSON numbers round the largest up to 2^63. */
const seed = z
  .number()
  .min(-(2 ** 63))
  .max(2 ** 63)
  .refine(Number.isInteger, "must be a whole number")
  .meta({ type: "integer" });

/** Parameters about where and when a request is answered. */
const routing = {
  user: z
    .string()
    .nullish()
    .describe("Names the session or tenant, where --session-from or --tenant-from says so."),
  prompt_cache_key: z.string().nullish().describe("Names the session, where --session-from says so."),
  stator: statorExtension.nullish(),
};

/** Parameters that both kinds of completion share. */
const sampling = {
  model: z.string().min(1).describe("Name or alias of the model."),
  max_tokens: z
    .number()
    .int()
    .min(0)
    .nullish()
    .describe("Longest answer in tokens; at most what the context leaves."),
  temperature: z.number().min(0).max(2).nullish().describe("0 takes the likeliest token; default 1."),
  top_p: z
    .number()
    .gt(0)
    .max(1)
    .nullish()
    .describe("Considers the likeliest tokens that together have this probability; default 1."),
  top_k: z
    .number()
    .int()
    .min(-1)
    .max(1_000_000)
    .nullish()
    .describe("Considers this many of the likeliest tokens; 0 or -1, the default, all."),
  min_p: z
    .number()
    .min(0)
    .max(1)
    .nullish()
    .describe("Leaves out tokens less likely than this share of the likeliest one."),
  frequency_penalty: z
    .number()
    .min(-2)
    .max(2)
    .nullish()
    .describe("Makes tokens less likely for each time that they were in the answer."),
  presence_penalty: z
    .number()
    .min(-2)
    .max(2)
    .nullish()
    .describe("Makes tokens less likely once they were in the answer."),
  repetition_penalty: z
    .number()
    .gt(0)
    .max(10)
    .nullish()
    .describe("Divides the scores of tokens in prompt and answer; 1 changes nothing."),
  stop: stop.nullish().describe("Strings that end the answer and are not part of it."),
  seed: seed.nullish().describe("The same seed gives the same answer."),
  n: z.number().int().min(1).max(16).nullish().describe("How many answers."),
  logit_bias: logitBias
    .nullish()
    .describe("Added to the scores of tokens, by token id: -100 forbids, 100 forces."),
  stream: z.boolean().nullish().describe("Answers as server-sent events."),
  stream_options: z
    .object({ include_usage: z.boolean().nullish() })
    .nullish()
    .describe("{include_usage: true} adds a last event with the usage."),
  ignore_eos: z.boolean().nullish().describe("Goes on past the model's end token."),
  ...routing,
  metadata: z.record(z.string(), z.unknown()).nullish().describe("Accepted and not used."),
};

const textPart = z.object({ type: z.literal("text"), text: z.string() });

const toolCall = z.object({
  id: z.string().nullish(),
  type: z.literal("function").default("function"),
  function: z.object({
    name: z.string().min(1),
    /** JSON, as the API has it; some clients send what it stands for. */
    arguments: z.union([z.string(), z.record(z.string(), z.unknown())]).default(""),
  }),
});

const message = z
  .object({
    role: z.enum(["system", "developer", "user", "assistant", "tool"]),
    content: z.union([z.string(), z.array(textPart)]).nullish(),
    name: z.string().nullish(),
    tool_calls: z.array(toolCall).nullish(),
    tool_call_id: z.string().nullish(),
    /** Superseded in OpenAI's API, and in no chat template. */
    function_call: z
      .unknown()
      .refine((call) => call === undefined || call === null, "it is deprecated; send tool_calls instead.")
      .optional(),
  })
  .refine(({ role, content }) => role === "assistant" || (content !== undefined && content !== null), {
    path: ["content"],
    message: "it is missing; only an assistant's message may be without.",
  });

export const chatCompletionRequest = z.object({
  ...sampling,
  messages: z
    .array(message)
    .min(1)
    .describe(
      "The conversation: role and content, a text or a list of text parts; with tool_calls and tool_call_id, which the model's chat template is given.",
    ),
  max_completion_tokens: z.number().int().min(1).nullish().describe("As max_tokens, and goes before it."),
  logprobs: z.boolean().nullish().describe("Tells log probabilities."),
  top_logprobs: z
    .number()
    .int()
    .min(0)
    .max(20)
    .nullish()
    .describe("And those of the likeliest tokens beside each."),
});

export const completionRequest = z.object({
  ...sampling,
  prompt: z
    .union([
      z.string(),
      z.array(z.string()).min(1).max(256),
      z.array(tokenId).min(1),
      z.array(z.array(tokenId).min(1)).min(1).max(256),
    ])
    .describe("What to continue."),
  echo: z.boolean().nullish().describe("Puts the prompt before the answer."),
  logprobs: z
    .number()
    .int()
    .min(0)
    .max(20)
    .nullish()
    .describe("Tells log probabilities, and this many of the likeliest tokens beside each."),
  best_of: z.number().int().min(1).nullish().describe("Only the same as n."),
  suffix: z.string().nullish().describe("Not supported."),
});

export const embeddingRequest = z.object({
  model: z.string().min(1).describe("Name or alias of the model."),
  input: z
    .union([
      z.string().min(1),
      z.array(z.string().min(1)).min(1).max(2048),
      z.array(tokenId).min(1),
      z.array(z.array(tokenId).min(1)).min(1).max(2048),
    ])
    .describe("What to turn into vectors."),
  encoding_format: z.enum(["float", "base64"]).nullish().describe("base64 is little-endian 32-bit floats."),
  dimensions: z.number().int().min(1).nullish().describe("Not supported."),
  ...routing,
});

export type ChatCompletionRequest = z.infer<typeof chatCompletionRequest>;
export type CompletionRequest = z.infer<typeof completionRequest>;
export type EmbeddingRequest = z.infer<typeof embeddingRequest>;
export type ChatMessage = ChatCompletionRequest["messages"][number];
