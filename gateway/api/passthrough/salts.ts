import type { Salt } from "#router-wasm";
import { invalidRequest } from "../../kernel/errors.ts";
import { isSaltable } from "../../models/members/saltable.ts";
import type { EngineSide } from "../../models/model.ts";
import type { PromptBody } from "../../prompts/prompt-reader.ts";
import type { OwnFields } from "./engine-bodies.ts";

/**
 * Separates the request's blocks from others in the engine's cache.
 * @param namespace the gateway's, if it keeps caches apart
 */
export function routingSalt(
  adapter: string | undefined,
  body: PromptBody | undefined,
  namespace: string | undefined,
): Salt | undefined {
  const asked = typeof body?.cache_salt === "string" ? body.cache_salt : undefined;
  const chosen = namespace ?? asked;
  return adapter === undefined && chosen === undefined ? undefined : { loraName: adapter, namespace: chosen };
}

/** The key's salt; engines that reuse nothing for a salted request have none of its blocks cached, even its own. */
export const namespaceFor = (model: EngineSide, salt: string, requestId: string) =>
  model.members().every(({ engine }) => engine.adapter?.forgetsSalted) ? `request ${requestId}` : salt;

/** @throws ApiError 400 if the request is to be kept apart from others, and none of the model's engines can do that */
export function requireSaltable(model: EngineSide, own: OwnFields): void {
  const members = model.members();
  if (members.length === 0 || members.some(({ engine }) => isSaltable(engine, own))) return;
  throw invalidRequest(
    `The model '${model.name}' is not available for ${own.path.slice(0, 200)}: this gateway keeps the caches of its keys apart (--isolate), which none of the model's engines can do there. See docs/security.md for the engines and paths that can.`,
    "model",
    "unsupported_model",
  );
}
