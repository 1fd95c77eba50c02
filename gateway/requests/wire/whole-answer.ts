import { messageOf } from "#runtime";
import { parseExactly } from "../../kernel/exact-json.ts";
import type { EngineMember } from "../../models/members/engine-member.ts";
import { refusalOf } from "./engine-error.ts";
import { isRetryable } from "./statuses.ts";

/** What an engine's answer to the gateway itself says, or why it says nothing, as a sentence. */
export type WholeAnswer<Answer> =
  | { readonly answer: Answer }
  | { readonly failure: "refused" | "unusable"; readonly sentence: string };

/**
 * Reads an answer that is no client's, and reports to the engine's health how it went.
 * @param read gets it as parsed by `parseExactly` @throws Error with the problem as a sentence
 */
export function readWhole<Answer>(
  worker: EngineMember,
  status: number,
  text: string,
  read: (answer: unknown) => Answer,
): WholeAnswer<Answer> {
  if (status >= 300) {
    const sentence = refusalOf(status, text);
    if (isRetryable(status) && status !== 429) worker.reportFailure(sentence, false);
    return { failure: "refused", sentence };
  }
  worker.reportSuccess();
  try {
    return { answer: read(parseExactly(text)) };
  } catch (error) {
    const sentence = error instanceof SyntaxError ? "Its answer is not JSON." : messageOf(error);
    return { failure: "unusable", sentence };
  }
}
