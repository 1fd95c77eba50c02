import { continuedBody } from "./continuation.ts";
import type { ForwardJob } from "./job.ts";
import type { PartialAnswer } from "./partial-answer.ts";

/** What becomes of a stream that has broken off. */
export type NextStep =
  /** It ends with an error: `obstacle` says to people why it cannot go on. */
  | { readonly kind: "give-up"; readonly obstacle: string }
  /** Only its end was missing. */
  | { readonly kind: "complete"; readonly finishReason: "length" | undefined }
  /** Another engine is asked this, which goes on behind so many tokens. */
  | { readonly kind: "move"; readonly body: Record<string, unknown>; readonly tokens: number };

export interface BrokenStream {
  /** What the client has; undefined where that is too long to be kept. */
  readonly partial: PartialAnswer | undefined;
  /** About how many tokens an event with text has. */
  readonly tokensPerEvent: number;
  /** Why it may not move again, for people; undefined where it may. */
  readonly bound: string | undefined;
}

/** Decides how a broken stream goes on. Asks an engine's tokenizer how much the client has, where nothing else tells. */
export async function nextStepOf(
  { continuation, model }: ForwardJob,
  { partial, tokensPerEvent, bound }: BrokenStream,
): Promise<NextStep> {
  if (continuation === undefined || partial === undefined)
    return { kind: "give-up", obstacle: "it is not of a kind that can be continued, or too long" };
  if (partial.obstacle !== undefined) return { kind: "give-up", obstacle: partial.obstacle };
  if (partial.finishReason !== undefined || partial.isDone)
    return { kind: "complete", finishReason: undefined };
  const { api, body, grammar } = continuation;
  if (grammar !== undefined && partial.text !== "") {
    const obstacle = `its text follows ${grammar}, which another engine would begin anew`;
    return { kind: "give-up", obstacle };
  }
  if (bound !== undefined) return { kind: "give-up", obstacle: bound };
  const tokens = (await exactTokens(partial, model)) ?? Math.round(partial.textEvents * tokensPerEvent);
  const continued = continuedBody(api, body, partial, tokens);
  return continued === undefined
    ? { kind: "complete", finishReason: "length" }
    : { kind: "move", body: continued, tokens };
}

/**
 * How many tokens an answer has: as the engine has told, or else as a tokenizer counts them; undefined where there is
 * none to be asked.
 */
export async function exactTokens(
  { tokens, text, textEvents }: PartialAnswer,
  { prompts }: Pick<ForwardJob["model"], "prompts">,
): Promise<number | undefined> {
  if (tokens !== undefined) return tokens;
  const counted = await (await prompts).count(text);
  // No event with text has less than a token.
  return counted === undefined ? undefined : Math.max(textEvents, counted);
}
