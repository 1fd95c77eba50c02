import { isRecord } from "../../prompts/json.ts";
import type { PromptBody } from "../../prompts/prompt-reader.ts";
import type { MissingEnd } from "./client-reply.ts";
import { continuedBody } from "./continuation.ts";
import type { WireJob } from "./job.ts";
import type { PartialAnswer } from "./partial-answer.ts";

/** What becomes of a stream that has broken off. */
export type Verdict =
  /** It ends with an error; `obstacle` says why, for people. */
  | { readonly kind: "give-up"; readonly obstacle: string }
  /** Only its end is missing. */
  | { readonly kind: "complete"; readonly missing: MissingEnd }
  /** Another engine gets this body, and continues after so many tokens. */
  | { readonly kind: "move"; readonly body: Record<string, unknown>; readonly tokens: number };

export interface BrokenStream {
  /** What the client has so far; undefined if it was too long to keep. */
  readonly partial: PartialAnswer | undefined;
  /** About how many tokens an event with text has. */
  readonly tokensPerEvent: number;
  /** Why it must not move again, for people; undefined if it may. */
  readonly bound: string | undefined;
}

/** Decides how a broken stream goes on. Has an engine count the tokens so far if the stream itself does not tell. */
export async function judgeBroken(
  job: WireJob,
  { partial, tokensPerEvent, bound }: BrokenStream,
): Promise<Verdict> {
  const { continuation, model } = job;
  if (continuation === undefined || partial === undefined)
    return { kind: "give-up", obstacle: "it is not of a kind that can be continued, or too long" };
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
    const obstacle = `its text follows ${grammar}, which another engine would begin anew`;
    return { kind: "give-up", obstacle };
  }
  if (bound !== undefined) return { kind: "give-up", obstacle: bound };
  const tokens = await count();
  const continued = continuedBody(api, body, partial, tokens);
  if (continued !== undefined) return { kind: "move", body: continued, tokens };
  const usage = wantsUsage(body) ? usageIn(job, tokens) : undefined;
  return { kind: "complete", missing: { finishReason: "length", usage } };
}

/** Whether another engine can continue the stream, as far as the request and the answer so far say. */
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
 * How many tokens an answer has: what the engine has reported, or else what a tokenizer counts. Undefined if there is no
 * tokenizer to ask.
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
