import { z } from "zod";
import { cacheSalt } from "../openai/cache-salt-schema.ts";
import { statorExtension } from "../openai/stator-extension.ts";
import { toolName } from "../openai/tool-name.ts";

const cacheControl = z.unknown().optional();

const textBlock = z.object({ type: z.literal("text"), text: z.string(), cache_control: cacheControl });
const thinkingBlock = z.object({
  type: z.literal("thinking"),
  thinking: z.string(),
  signature: z.string().nullish(),
});
/** Reasoning that only Anthropic can read. */
const redactedBlock = z.object({ type: z.literal("redacted_thinking"), data: z.string() });
const toolUse = z.object({
  type: z.literal("tool_use"),
  id: z.string().min(1),
  name: z.string().min(1),
  input: z.record(z.string(), z.unknown()),
  cache_control: cacheControl,
});
const image = z.object({
  type: z.literal("image"),
  source: z.discriminatedUnion("type", [
    z.object({ type: z.literal("base64"), media_type: z.string().max(100), data: z.string() }),
    z.object({ type: z.literal("url"), url: z.string() }),
  ]),
  cache_control: cacheControl,
});
/** A document whose text is in the request. Citations are not made, so asking for them has no effect. */
const textDocument = z.object({
  type: z.literal("document"),
  source: z.discriminatedUnion("type", [
    z.object({ type: z.literal("text"), media_type: z.string().nullish(), data: z.string() }),
    z.object({ type: z.literal("content"), content: z.union([z.string(), z.array(textBlock)]) }),
  ]),
  title: z.string().nullish(),
  context: z.string().nullish().describe("What the model is told about the document."),
  cache_control: cacheControl,
});
const toolResult = z.object({
  type: z.literal("tool_result"),
  tool_use_id: z.string().min(1),
  content: z.union([z.string(), z.array(z.union([textBlock, image, textDocument]))]).nullish(),
  is_error: z.boolean().nullish(),
  cache_control: cacheControl,
});
const block = z.discriminatedUnion("type", [
  textBlock,
  image,
  textDocument,
  thinkingBlock,
  redactedBlock,
  toolUse,
  toolResult,
]);

const tool = z.object({
  type: z.literal("custom").nullish(),
  name: toolName,
  description: z.string().nullish(),
  input_schema: z.record(z.string(), z.unknown()).describe("JSON Schema of the tool's input."),
  strict: z.boolean().nullish(),
  cache_control: cacheControl,
});

const parallel = { disable_parallel_tool_use: z.boolean().nullish() };
const toolChoice = z.discriminatedUnion("type", [
  z.object({ type: z.literal("auto"), ...parallel }),
  z.object({ type: z.literal("any"), ...parallel }),
  z.object({ type: z.literal("tool"), name: z.string().min(1), ...parallel }),
  z.object({ type: z.literal("none") }),
]);

const outputFormat = z.object({
  type: z.literal("json_schema"),
  schema: z.record(z.string(), z.unknown()),
});

/** What a request to answer, and one to count tokens, have in common. */
const prompt = {
  model: z.string().min(1).describe("Name or alias of the model."),
  messages: z
    .array(
      z.object({
        role: z.enum(["user", "assistant", "system"]),
        content: z.union([z.string(), z.array(block)]),
      }),
    )
    .min(1)
    .describe(
      "The conversation. Content is a string, or a list of text, image, document, thinking, tool_use and tool_result blocks; workers take images if their model does, and documents that are text.",
    ),
  system: z
    .union([z.string(), z.array(textBlock)])
    .nullish()
    .describe("The system prompt."),
  tools: z.array(tool).max(1024).nullish().describe("Tools that the model may use."),
  tool_choice: toolChoice.nullish().describe("`auto` (the default), `any`, a named `tool`, or `none`."),
  output_config: z
    .object({ format: outputFormat.nullish() })
    .nullish()
    .describe("format: a JSON schema for the answer."),
  output_format: outputFormat.nullish().describe("The same, as in an older version of the API."),
  thinking: z
    .object({ type: z.enum(["enabled", "disabled", "adaptive"]), budget_tokens: z.number().int().nullish() })
    .nullish()
    .describe("Passed to the model's chat template as enable_thinking."),
};

export const messagesRequest = z.object({
  ...prompt,
  max_tokens: z
    .number()
    .int()
    .min(1)
    .describe("Longest answer in tokens, limited by the space left in the context."),
  stop_sequences: z.array(z.string().min(1)).max(64).nullish().describe("Strings that end the answer."),
  stream: z.boolean().nullish().describe("Streams the answer as server-sent events."),
  temperature: z.number().min(0).max(2).nullish().describe("0 picks the most likely token; default 1."),
  top_p: z.number().gt(0).max(1).nullish(),
  top_k: z.number().int().min(0).max(1_000_000).nullish(),
  metadata: z
    .object({ user_id: z.string().nullish() })
    .nullish()
    .describe("user_id is the session or tenant, if --session-from or --tenant-from selects the user."),
  stator: statorExtension.nullish(),
  cache_salt: cacheSalt,
});

export const countTokensRequest = z.object(prompt);

export type MessagesRequest = z.infer<typeof messagesRequest>;
export type CountTokensRequest = z.infer<typeof countTokensRequest>;
