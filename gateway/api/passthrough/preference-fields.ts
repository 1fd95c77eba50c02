import type { PromptBody } from "../../prompts/prompt-reader.ts";
import { statorExtension } from "../openai/stator-extension.ts";
import { validateField } from "../openai/validate.ts";

/**
 * What of a body concerns the gateway; the rest is the engine's to judge.
 * @throws ApiError 400 where the field `stator` is not as it should be
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
