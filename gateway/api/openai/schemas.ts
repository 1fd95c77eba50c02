import { z } from "zod";
import { cacheSalt } from "./cache-salt-schema.ts";
import { statorExtension } from "./stator-extension.ts";
import { structuredOutput } from "./structured-schemas.ts";
import { toolName } from "./tool-name.ts";

/**
 * The request bodies of `/v1/chat/completions`, `/v1/completions` and `/v1/embeddings`. OpenAI's fields that do
 * not change the answer (`user`, `metadata`, `store`, …) are accepted. Unknown fields are ignored, because SDKs
 * send new ones before servers support them. `null` means absent, as in OpenAI's API.
 */

export const tokenId = z.number().int().min(0).max(0xffff_ffff);

const stop = z.union([z.string().min(1), z.array(z.string().min(1)).max(64)]);

const logitBias = z.record(
  z.string().regex(/^\d+$/, "the keys of logit_bias must be token ids."),
  z.number().min(-100).max(100),
);

/** Any 64-bit integer; as a JSON number, the largest rounds up to 2^63. */
const seed = z
  .number()
  .min(-(2 ** 63))
  .max(2 ** 63)
  .refine(Number.isInteger, "must be an integer")
  .meta({ type: "integer" });

/** Routing parameters. */
export const routing = {
  user: z
    .string()
    .nullish()
    .describe("The session or tenant, if --session-from or --tenant-from selects this field."),
  prompt_cache_key: z.string().nullish().describe("The session, if --session-from selects this field."),
  stator: statorExtension.nullish(),
};

/** How tokens are sampled, besides temperature and top_p. */
export const furtherSampling = {
  top_k: z
    .number()
    .int()
    .min(-1)
    .max(1_000_000)
    .nullish()
    .describe("Samples from this many of the most likely tokens; 0 or -1 (the default) means all."),
  min_p: z
    .number()
    .min(0)
    .max(1)
    .nullish()
    .describe("Excludes tokens whose probability is below this fraction of the most likely token's."),
  frequency_penalty: z
    .number()
    .min(-2)
    .max(2)
    .nullish()
    .describe("Makes tokens less likely for each time they have appeared in the answer."),
  presence_penalty: z
    .number()
    .min(-2)
    .max(2)
    .nullish()
    .describe("Makes tokens less likely once they have appeared in the answer."),
  repetition_penalty: z
    .number()
    .gt(0)
    .max(10)
    .nullish()
    .describe("Penalizes tokens that are in the prompt or answer; 1 changes nothing."),
  seed: seed.nullish().describe("The same seed gives the same answer."),
  logit_bias: logitBias
    .nullish()
    .describe("Added to the logits of tokens, by token id: -100 forbids, 100 forces."),
};

/** Parameters of both chat and text completions. */
const sampling = {
  model: z.string().min(1).describe("Name or alias of the model."),
  max_tokens: z
    .number()
    .int()
    .min(0)
    .nullish()
    .describe("Longest answer in tokens, limited by the space left in the context."),
  temperature: z.number().min(0).max(2).nullish().describe("0 picks the most likely token; default 1."),
  top_p: z
    .number()
    .gt(0)
    .max(1)
    .nullish()
    .describe("Samples from the most likely tokens whose probabilities add up to this; default 1."),
  stop: stop.nullish().describe("Strings that end the answer and are not included in it."),
  n: z.number().int().min(1).max(16).nullish().describe("How many answers."),
  ...furtherSampling,
  stream: z.boolean().nullish().describe("Streams the answer as server-sent events."),
  stream_options: z
    .object({ include_usage: z.boolean().nullish() })
    .nullish()
    .describe("{include_usage: true} adds a final event with the usage."),
  ignore_eos: z.boolean().nullish().describe("Continues past the model's end-of-sequence token."),
  ...structuredOutput,
  ...routing,
  cache_salt: cacheSalt,
  metadata: z.record(z.string(), z.unknown()).nullish().describe("Accepted and ignored."),
};

const textPart = z.object({ type: z.literal("text"), text: z.string() });
/** OpenAI's object, or the address alone, as vLLM takes it. */
const address = z.union([z.string(), z.object({ url: z.string() })]);
/** At which resolution OpenAI's models see a picture. */
export const imageDetail = z
  .enum(["auto", "low", "high", "original"])
  .nullish()
  .describe("Accepted; workers see a picture as their model does.");
const imageAddress = z.union([z.string(), z.object({ url: z.string(), detail: imageDetail })]);
const contentPart = z.discriminatedUnion("type", [
  textPart,
  z.object({ type: z.literal("image_url"), image_url: imageAddress }),
  z.object({ type: z.literal("audio_url"), audio_url: address }),
  z.object({ type: z.literal("video_url"), video_url: address }),
  z.object({
    type: z.literal("input_audio"),
    input_audio: z.object({ data: z.string(), format: z.string().nullish() }),
  }),
]);

const toolCall = z.object({
  id: z.string().nullish(),
  type: z.literal("function").default("function"),
  function: z.object({
    name: z.string().min(1),
    /** A JSON string according to the API; some clients send the object itself. */
    arguments: z.union([z.string(), z.record(z.string(), z.unknown())]).default(""),
  }),
});

/** A tool that the model may call. */
const tool = z.object({
  type: z.literal("function"),
  function: z.object({
    name: toolName,
    description: z.string().nullish(),
    parameters: z.record(z.string(), z.unknown()).nullish().describe("JSON Schema of the arguments."),
    strict: z.boolean().nullish().describe("Whether the arguments must match the schema."),
  }),
});

const namedFunction = z.object({
  type: z.literal("function"),
  function: z.object({ name: z.string().min(1) }),
});

const toolChoice = z.union([
  z.enum(["none", "auto", "required"]),
  namedFunction,
  z.object({
    type: z.literal("allowed_tools"),
    allowed_tools: z.object({ mode: z.enum(["auto", "required"]), tools: z.array(namedFunction).min(1) }),
  }),
]);

const message = z
  .object({
    role: z.enum(["system", "developer", "user", "assistant", "tool"]),
    content: z.union([z.string(), z.array(contentPart)]).nullish(),
    name: z.string().nullish(),
    tool_calls: z.array(toolCall).nullish(),
    tool_call_id: z.string().nullish(),
    reasoning_content: z.string().nullish(),
    reasoning: z.string().nullish(),
    /** Deprecated in OpenAI's API, and not supported by chat templates. */
    function_call: z
      .unknown()
      .refine((call) => call === undefined || call === null, "it is deprecated; send tool_calls instead.")
      .optional(),
  })
  .refine(({ role, content }) => role === "assistant" || (content !== undefined && content !== null), {
    path: ["content"],
    message: "it is missing; only an assistant message may omit it.",
  });

export const chatCompletionRequest = z.object({
  ...sampling,
  messages: z
    .array(message)
    .min(1)
    .describe(
      "The conversation. Each message has a role and content (a string or a list of parts: text, and media if the model takes them); tool_calls and tool_call_id are passed to the model's chat template.",
    ),
  tools: z.array(tool).max(1024).nullish().describe("Functions that the model may call."),
  tool_choice: toolChoice
    .nullish()
    .describe(
      "`auto` (the default) lets the model choose, `none` forbids calls, `required` and a named function demand one; `allowed_tools` offers only some of the tools.",
    ),
  parallel_tool_calls: z
    .boolean()
    .nullish()
    .describe("Whether the model may call several functions at once; default true."),
  reasoning_effort: z
    .string()
    .max(64)
    .nullish()
    .describe("Passed to the model's chat template; `none` also turns reasoning off if the template can."),
  chat_template_kwargs: z
    .record(z.string(), z.unknown())
    .nullish()
    .describe('Variables for the model\'s chat template, such as {"enable_thinking": false}.'),
  max_completion_tokens: z.number().int().min(1).nullish().describe("Same as max_tokens, and overrides it."),
  logprobs: z.boolean().nullish().describe("Returns log probabilities."),
  top_logprobs: z
    .number()
    .int()
    .min(0)
    .max(20)
    .nullish()
    .describe("How many of the most likely tokens to return with each token."),
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
    .describe("The text to continue."),
  echo: z.boolean().nullish().describe("Repeats the prompt before the answer."),
  logprobs: z
    .number()
    .int()
    .min(0)
    .max(20)
    .nullish()
    .describe("Returns log probabilities, with this many of the most likely tokens for each token."),
  best_of: z.number().int().min(1).nullish().describe("Must equal n."),
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
    .describe("The text to turn into vectors."),
  encoding_format: z.enum(["float", "base64"]).nullish().describe("base64 is little-endian 32-bit floats."),
  dimensions: z
    .number()
    .int()
    .min(1)
    .nullish()
    .describe(
      "Shortens the vectors to this many dimensions and scales them to unit length; meaningful only for models trained for it.",
    ),
  ...routing,
});

const generation = z.object(sampling).partial();

/** What requests of all APIs that generate text have in common. */
export type GenerationFields = z.infer<typeof generation>;
export type ChatCompletionRequest = z.infer<typeof chatCompletionRequest>;
export type CompletionRequest = z.infer<typeof completionRequest>;
export type EmbeddingRequest = z.infer<typeof embeddingRequest>;
export type ToolChoice = z.infer<typeof toolChoice>;
export type ChatMessage = ChatCompletionRequest["messages"][number];
