import type { Context } from "hono";
import type { GatewayEnv } from "../../access/env.ts";
import { hasPath } from "../../engines/index.ts";
import type { ApiError } from "../../kernel/errors.ts";
import type { EngineTarget } from "../../models/members/engine-member.ts";
import { isSaltable } from "../../models/members/saltable.ts";
import type { EngineSide } from "../../models/model.ts";
import type { PromptBody } from "../../prompts/prompt-reader.ts";
import type { GatewayDependencies } from "../dependencies.ts";
import type { AnswerFormat } from "../openai/format.ts";
import type { StoredResponse } from "../responses/store.ts";
import type { FieldNames } from "./field-names.ts";
import type { QuotedTokens } from "./quoted-tokens.ts";
import type { TranslateWhen } from "./when.ts";

/** The path of requests that are translated. */
export const CHAT_PATH = "/v1/chat/completions";

/** A request as a chat completion, and how its answer is translated back. */
export interface Translation {
  /** The request's body. */
  readonly chat: PromptBody;
  /** @param promptTokens length of the prompt, as far as it is known */
  format(promptTokens: number): AnswerFormat;
  /** Set if the answer's log probabilities are wanted: the vocabulary of the format. */
  readonly quoted?: QuotedTokens | undefined;
  errorBody(error: ApiError): object;
  readonly fieldNames: FieldNames;
  /** The same for a part of the conversation, if it may be sent in place of one that does not fit. */
  readonly shorter: (() => Translation) | undefined;
  /** Set if the answer is made whether or not its client stays. */
  readonly background?: { readonly stored: StoredResponse; readonly isStreamed: boolean } | undefined;
}

/**
 * Translates a request.
 * @throws ApiError 400 if it is invalid
 */
export type Translator = (
  context: Context<GatewayEnv>,
  dependencies: GatewayDependencies,
  json: unknown,
) => Promise<Translation>;

/**
 * Whether a request for the model's engines is to be translated.
 * @param salt what keeps its cached KV apart from that of others, if anything does
 */
export async function isTranslated(
  when: TranslateWhen,
  engines: EngineSide,
  path: string,
  salt: string | undefined,
): Promise<boolean> {
  if (when !== "auto") return when === "always";
  const speaking = await Promise.all(
    engines.members().map(({ engine }) => isSaltable(engine, { path, salt }) && speaks(engine, path)),
  );
  return speaking.includes(false);
}

/** Whether an engine has a path. One that does not report its paths is asked, once. */
function speaks({ profile, api }: EngineTarget, path: string): boolean | Promise<boolean> {
  if (profile === undefined) return true;
  if (profile.paths.length > 0) return profile.paths.includes(path);
  const known = asked.get(profile) ?? new Map<string, Promise<boolean>>();
  asked.set(profile, known);
  const before = known.get(path);
  if (before !== undefined) return before;
  const answer = hasPath(api, path).catch(() => {
    // It did not answer: that is for the request itself to find out.
    known.delete(path);
    return true;
  });
  known.set(path, answer);
  return answer;
}

/** What engines have said, until they are probed anew. */
const asked = new WeakMap<object, Map<string, Promise<boolean>>>();
