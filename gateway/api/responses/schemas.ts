import { z } from "zod";
import { cacheSalt } from "../openai/cache-salt-schema.ts";
import { furtherSampling, imageDetail } from "../openai/schemas.ts";
import { statorExtension } from "../openai/stator-extension.ts";
import { structuredOutput } from "../openai/structured-schemas.ts";
import { toolName } from "../openai/tool-name.ts";
import { include } from "./include.ts";

const textPart = z.object({
  type: z.enum(["input_text", "output_text", "text", "reasoning_text", "summary_text"]),
  text: z.string(),
  annotations: z.array(z.unknown()).optional(),
  logprobs: z.array(z.unknown()).nullish(),
});
const refusalPart = z.object({ type: z.literal("refusal"), refusal: z.string() });
const imagePart = z.object({
  type: z.literal("input_image"),
  image_url: z.string().min(1).describe("A URL, or an image as a data URL."),
  detail: imageDetail,
});
const content = z.union([z.string(), z.array(z.union([textPart, refusalPart, imagePart]))]);

const message = z.object({
  type: z.literal("message").optional(),
  id: z.string().nullish(),
  role: z.enum(["user", "assistant", "system", "developer"]),
  content,
  status: z.string().nullish(),
});
const functionCall = z.object({
  type: z.literal("function_call"),
  id: z.string().nullish(),
  call_id: z.string().min(1),
  name: z.string().min(1),
  namespace: z.string().nullish(),
  arguments: z.string(),
  status: z.string().nullish(),
});
const functionCallOutput = z.object({
  type: z.literal("function_call_output"),
  id: z.string().nullish(),
  call_id: z.string().min(1),
  output: z.union([z.string(), z.array(z.union([textPart, imagePart]))]),
  status: z.string().nullish(),
});
const reasoning = z.object({
  type: z.literal("reasoning"),
  id: z.string().nullish(),
  summary: z.array(textPart).nullish(),
  content: z.array(textPart).nullish(),
  encrypted_content: z.string().nullish(),
  status: z.string().nullish(),
});
/** An item of an earlier response, by its id. */
const reference = z.object({ type: z.literal("item_reference"), id: z.string().min(1) });

export const item = z.union([message, functionCall, functionCallOutput, reasoning, reference]);

const functionTool = z.object({
  type: z.literal("function"),
  name: toolName,
  description: z.string().nullish(),
  parameters: z.record(z.string(), z.unknown()).nullish().describe("JSON Schema of the arguments."),
  strict: z.boolean().nullish(),
});
const tool = z.discriminatedUnion("type", [
  functionTool,
  z.object({
    type: z.literal("namespace"),
    name: toolName,
    description: z.string().nullish(),
    tools: z.array(functionTool).max(1024),
  }),
]);
const named = z.object({ type: z.literal("function"), name: z.string().min(1) });
const toolChoice = z.union([
  z.enum(["none", "auto", "required"]),
  named,
  z.object({
    type: z.literal("allowed_tools"),
    mode: z.enum(["auto", "required"]),
    tools: z.array(named).min(1),
  }),
]);

const textFormat = z.discriminatedUnion("type", [
  z.object({ type: z.literal("text") }),
  z.object({ type: z.literal("json_object") }),
  z.object({
    type: z.literal("json_schema"),
    name: z.string().min(1),
    description: z.string().nullish(),
    schema: z.record(z.string(), z.unknown()),
    strict: z.boolean().nullish(),
  }),
]);

export const metadata = z
  .record(z.string().max(64, "a name has at most 64 characters."), z.string().max(512))
  .refine((pairs) => Object.keys(pairs).length <= 16, "it may have at most 16 pairs.")
  .describe("At most 16 pairs of a name, of up to 64 characters, and a text of up to 512.");

/** In Responses, `text.format` stands for `response_format`. */
const { response_format: _, ...structuredOutputs } = structuredOutput;

/** What a request to answer, and one to count tokens, have in common. */
const prompt = {
  model: z.string().min(1).describe("Name or alias of the model."),
  input: z
    .union([z.string(), z.array(item)])
    .describe(
      "A text, or items: messages, function_call, function_call_output, reasoning and item_reference. Workers take images if their model does.",
    ),
  instructions: z.string().nullish().describe("The system prompt of this response; not kept for the next."),
  previous_response_id: z
    .string()
    .min(1)
    .nullish()
    .describe("Continues the conversation of a stored response."),
  conversation: z
    .union([z.string().min(1), z.object({ id: z.string().min(1) })])
    .nullish()
    .describe("The conversation that the response continues, and to which its input and output are added."),
  tools: z
    .array(tool)
    .max(1024)
    .nullish()
    .describe("Functions that the model may call, alone or in namespaces."),
  tool_choice: toolChoice.nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  reasoning: z
    .object({ effort: z.string().max(64).nullish(), summary: z.string().nullish() })
    .nullish()
    .describe("effort is passed to the model's chat template; `none` turns reasoning off if it can."),
  text: z
    .object({ format: textFormat.nullish(), verbosity: z.string().nullish() })
    .nullish()
    .describe("format: text, json_object, or json_schema with a schema for the answer."),
  ...structuredOutputs,
  truncation: z
    .enum(["auto", "disabled"])
    .nullish()
    .describe("`auto` leaves out the oldest items of a conversation that does not fit."),
};

export const responsesRequest = z.object({
  ...prompt,
  max_output_tokens: z.number().int().min(1).nullish().describe("Longest answer in tokens."),
  stream: z.boolean().nullish().describe("Streams the response as server-sent events."),
  background: z
    .boolean()
    .nullish()
    .describe("Makes the response whether or not the client stays; it is then retrieved, or streamed again."),
  store: z.boolean().nullish().describe("Whether the response can be retrieved and continued; default true."),
  metadata: metadata.nullish(),
  include: include
    .nullish()
    .describe("`message.output_text.logprobs` adds log probabilities; other values have no effect."),
  top_logprobs: z.number().int().min(0).max(20).nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
  ...furtherSampling,
  user: z.string().nullish(),
  prompt_cache_key: z.string().nullish(),
  stator: statorExtension.nullish(),
  cache_salt: cacheSalt,
});

export const inputTokensRequest = z.object(prompt);

export type ResponsesRequest = z.infer<typeof responsesRequest>;
export type InputTokensRequest = z.infer<typeof inputTokensRequest>;
export type InputItem = z.infer<typeof item>;
/** An item that refers to no other. */
export type PlainItem = Exclude<InputItem, { type: "item_reference" }>;
export type FunctionTool = z.infer<typeof functionTool>;
