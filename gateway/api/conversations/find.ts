import { ApiError } from "../../kernel/errors.ts";
import type { ResponseStore } from "../responses/store.ts";
import { conversationAfter, type KeptConversation } from "./changes.ts";
import { isOwnConversation } from "./id.ts";

/** A conversation of a client. @throws ApiError 404 if it has none of this id */
export async function findConversation(
  store: ResponseStore,
  owner: string,
  id: string,
  param: string | null = null,
): Promise<KeptConversation> {
  const changes = isOwnConversation(id) ? await store.changes(id) : undefined;
  const conversation = conversationAfter(changes ?? []);
  if (conversation === undefined || conversation.owner !== owner) throw noConversation(id, param);
  return conversation;
}

/** In OpenAI's words. */
export const noConversation = (id: string, param: string | null = null) =>
  new ApiError(404, "invalid_request_error", `Conversation with id '${id.slice(0, 100)}' not found.`, {
    param,
    code: "conversation_not_found",
  });
