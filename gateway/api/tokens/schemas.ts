import { z } from "zod";
import { optionalModel } from "../named-model.ts";
import { chatCompletionRequest, routing, tokenId } from "../openai/schemas.ts";

/** The request bodies of `/v1/tokenize` and `/v1/detokenize`, as in vLLM. */

const { messages, tools, tool_choice, reasoning_effort, chat_template_kwargs } = chatCompletionRequest.shape;

export const tokenizeRequest = z.object({
  model: optionalModel,
  prompt: z.string().nullish().describe("A text; instead of messages."),
  messages: messages.nullish(),
  tools,
  tool_choice,
  reasoning_effort,
  chat_template_kwargs,
  add_generation_prompt: z
    .boolean()
    .nullish()
    .describe("Whether a conversation ends with the beginning of the model's answer; default true."),
  continue_final_message: z
    .boolean()
    .nullish()
    .describe("Leaves the conversation's last message open, so that the model would continue it."),
  add_special_tokens: z
    .boolean()
    .nullish()
    .describe("Whether to add the beginning-of-sequence token, if the model has one; default true."),
  return_token_strs: z.boolean().nullish().describe("Also returns each token's text, as `token_strs`."),
  ...routing,
});

export const detokenizeRequest = z.object({
  model: optionalModel,
  tokens: z.array(tokenId).describe("Token ids."),
  ...routing,
});

export type TokenizeRequest = z.infer<typeof tokenizeRequest>;
