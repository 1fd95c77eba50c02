import type { PromptBody } from "../../prompts/prompt-reader.ts";
import { statorExtension } from "../openai/stator-extension.ts";
import { validateField } from "../openai/validate.ts";

/**
 * The body's fields that concern the gateway; the engine validates the rest.
 * @throws ApiError 400 if the field `stator` is invalid
 */
export function preferenceFields(body: PromptBody | undefined) {
  if (body === undefined) return {};
  const { stator, user, prompt_cache_key } = body;
  return {
    stator:
      stator === undefined || stator === null ? undefined : validateField(statorExtension, stator, "stator"),
    user: textOf(user),
    prompt_cache_key: textOf(prompt_cache_key),
  };
}

const textOf = (value: unknown) => (typeof value === "string" ? value : undefined);
