import { isRecord } from "../../kernel/json.ts";
import type { PromptBody } from "../../prompts/prompt-reader.ts";
import type { MissingEnd } from "./client-reply.ts";
import { continuedBody } from "./continuation.ts";
import type { WireJob } from "./job.ts";
import type { PartialAnswer } from "./partial-answer.ts";

/** How to proceed with a broken stream. */
export type Recovery =
  /** It ends with an error; `obstacle` says why, for logs. */
  | { readonly kind: "give-up"; readonly obstacle: string }
  /** Only its end is missing. */
  | { readonly kind: "complete"; readonly missing: MissingEnd }
  /** Another engine gets this body, and continues after this many tokens. */
  | { readonly kind: "move"; readonly body: Record<string, unknown>; readonly tokens: number };

export interface BrokenStream {
  /** What the client has received; undefined if it was too long to keep. */
  readonly partial: PartialAnswer | undefined;
  /** Estimated tokens in an event with text. */
  readonly tokensPerEvent: number;
  /** Why it must not move again, for logs; undefined if it may. */
  readonly moveObstacle: string | undefined;
}

/** Plans how to proceed with a broken stream. If the stream does not report its tokens, an engine counts them. */
export async function planRecovery(
  job: WireJob,
  { partial, tokensPerEvent, moveObstacle }: BrokenStream,
): Promise<Recovery> {
  const { continuation, model } = job;
  if (continuation === undefined || partial === undefined)
    return { kind: "give-up", obstacle: "answers of this kind or length cannot be continued" };
  if (partial.obstacle !== undefined) return { kind: "give-up", obstacle: partial.obstacle };
  const { api, body, grammar } = continuation;
  const count = async () =>
    (await exactTokens(partial, model)) ?? Math.round(partial.textEvents * tokensPerEvent);
  if (partial.finishReason !== undefined || partial.isDone) {
    const isMissing = wantsUsage(body) && !partial.hasUsage && !partial.isDone;
    const usage = isMissing ? usageIn(job, await count()) : undefined;
    return { kind: "complete", missing: { finishReason: undefined, usage } };
  }
  if (grammar !== undefined && partial.text !== "") {
    const obstacle = `it is constrained by ${grammar}, which another engine would start over`;
    return { kind: "give-up", obstacle };
  }
  if (moveObstacle !== undefined) return { kind: "give-up", obstacle: moveObstacle };
  const tokens = await count();
  const continued = continuedBody(api, body, partial, tokens);
  if (continued !== undefined) return { kind: "move", body: continued, tokens };
  const usage = wantsUsage(body) ? usageIn(job, tokens) : undefined;
  return { kind: "complete", missing: { finishReason: "length", usage } };
}

/** Whether another engine can continue the stream, judging by the request and the answer so far. */
export function isContinuable({ continuation }: WireJob, partial: PartialAnswer | undefined): boolean {
  if (continuation === undefined || partial === undefined || partial.obstacle !== undefined) return false;
  const hasEnded = partial.finishReason !== undefined || partial.isDone;
  return !hasEnded && (continuation.grammar === undefined || partial.text === "");
}

const wantsUsage = ({ stream_options: options }: PromptBody) =>
  isRecord(options) && options.include_usage === true;

const usageIn = ({ prompt: { tokens: promptTokens } }: WireJob, tokens: number) => ({
  prompt_tokens: promptTokens.length,
  completion_tokens: tokens,
  total_tokens: promptTokens.length + tokens,
});

/**
 * How many tokens an answer has, as reported by the engine or else counted by a tokenizer. Undefined if neither is
 * available.
 */
export async function exactTokens(
  { tokens, text, textEvents }: PartialAnswer,
  { prompts }: Pick<WireJob["model"], "prompts">,
): Promise<number | undefined> {
  if (tokens !== undefined) return tokens;
  const counted = await (await prompts)?.count(text);
  // Every event with text has at least one token.
  return counted === undefined ? undefined : Math.max(textEvents, counted);
}
