import { z } from "zod";
import { withPlaceholders } from "./media.ts";
import { renderChat } from "./template.ts";
import { tokenize } from "./tokens.ts";

const common = {
  model: z.string().nullish(),
  max_tokens: z.number().int().positive().nullish(),
  min_tokens: z.number().int().nonnegative().nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
  stop: z.union([z.string(), z.array(z.string())]).nullish(),
  ignore_eos: z.boolean().nullish(),
  cache_salt: z.string().nullish(),
};

export const chatFields = {
  messages: z.array(z.looseObject({ role: z.string() })).min(1),
  tools: z.array(z.unknown()).nullish(),
  chat_template_kwargs: z.record(z.string(), z.unknown()).nullish(),
  add_generation_prompt: z.boolean().default(true),
  continue_final_message: z.boolean().default(false),
};

const chatSchema = z.looseObject({
  ...common,
  ...chatFields,
  max_completion_tokens: z.number().int().positive().nullish(),
});

const ids = z.array(z.number().int().nonnegative());
const completionSchema = z.looseObject({
  ...common,
  prompt: z.union([z.string(), ids]),
  echo: z.boolean().nullish(),
});

/** A request that generates tokens, from either route. */
export interface OpenAiRequest {
  readonly model: string | undefined;
  readonly tokens: readonly number[];
  readonly maxTokens: number;
  readonly minTokens: number;
  readonly ignoreEos: boolean;
  readonly stop: readonly string[];
  readonly cacheSalt: string | undefined;
  readonly isStreamed: boolean;
  readonly includesUsage: boolean;
}

/** Whether an engine continues a chat's last message if it is the assistant's. */
export type Continuing = "asked" | "always" | "never";

/** The request, or why it is invalid. */
export function readChat(body: unknown, continuing: Continuing, takesMedia = false): OpenAiRequest | string {
  const read = chatSchema.safeParse(body);
  if (!read.success) return describeIssue(read.error);
  const { data } = read;
  const medium = takesMedia ? undefined : mediumIn(data.messages);
  if (medium !== undefined) return `At most 0 ${medium}(s) may be provided in one prompt.`;
  const isPartial = data.messages.at(-1)?.role === "assistant";
  const continues =
    continuing === "always" ? isPartial : continuing === "asked" && data.continue_final_message;
  if (continuing === "asked" && data.continue_final_message && data.add_generation_prompt) {
    return "Cannot set both `continue_final_message` and `add_generation_prompt` to True.";
  }
  const tokens = tokenize(
    renderChat({ ...data, messages: withPlaceholders(data.messages), continue_final_message: continues }),
  );
  return { ...fields(data), tokens, maxTokens: data.max_completion_tokens ?? data.max_tokens ?? 16 };
}

/** The messages of a chat; empty for any other body. */
export function messagesOf(body: unknown): readonly Record<string, unknown>[] {
  const messages: unknown = Reflect.get(Object(body), "messages");
  return Array.isArray(messages) ? messages : [];
}

/** The kind of the first medium in a chat. */
export function mediumIn(messages: readonly Readonly<Record<string, unknown>>[]): string | undefined {
  const parts = messages.flatMap(({ content }) => (Array.isArray(content) ? (content as unknown[]) : []));
  for (const part of parts) {
    const type: unknown = Reflect.get(Object(part), "type");
    const kind = typeof type === "string" ? /^(?:input_)?(image|audio|video)/.exec(type)?.[1] : undefined;
    if (kind !== undefined) return kind;
  }
  return undefined;
}

/** The request, or why it is invalid. */
export function readCompletion(body: unknown): OpenAiRequest | string {
  const read = completionSchema.safeParse(body);
  if (!read.success) return describeIssue(read.error);
  const { data } = read;
  const tokens = typeof data.prompt === "string" ? tokenize(data.prompt) : data.prompt;
  if (tokens.length === 0) return "The prompt must not be empty.";
  return { ...fields(data), tokens, maxTokens: data.max_tokens ?? 16 };
}

type Common = z.output<z.ZodObject<typeof common>>;

function fields(data: Common): Omit<OpenAiRequest, "tokens" | "maxTokens"> {
  const { stop } = data;
  return {
    model: data.model ?? undefined,
    minTokens: data.min_tokens ?? 0,
    ignoreEos: data.ignore_eos ?? false,
    stop: typeof stop === "string" ? [stop] : (stop ?? []),
    cacheSalt: data.cache_salt ?? undefined,
    isStreamed: data.stream ?? false,
    includesUsage: data.stream_options?.include_usage ?? false,
  };
}

function describeIssue(error: z.ZodError): string {
  const [issue] = error.issues;
  return `${issue?.path.join(".") ?? "body"}: ${issue?.message ?? "not readable"}`;
}
