import type { Context } from "hono";
import { z } from "zod";
import type { GatewayEnv } from "../../access/env.ts";
import { validateField } from "../openai/validate.ts";

export const LOGPROBS = "message.output_text.logprobs";

/** What clients may include; the gateway's items have only log probabilities. */
export const include = z.array(
  z.enum([
    LOGPROBS,
    "reasoning.encrypted_content",
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
  ]),
);

/** What the query of a request includes. @throws ApiError 400 for anything unknown */
export function includedIn({ req }: Context<GatewayEnv>): z.infer<typeof include> {
  const named = [...(req.queries("include") ?? []), ...(req.queries("include[]") ?? [])];
  return validateField(include, named, "include");
}
