import {
  type ConversationRoute,
  deleteConversation,
  retrieveConversation,
  updateConversation,
} from "./conversations.ts";
import { createItems, deleteItem, listItems, retrieveItem } from "./items.ts";

/** The routes of a conversation that the gateway keeps. */
export const CONVERSATION_ROUTES: readonly [string, `/v1/conversations/:id${string}`, ConversationRoute][] = [
  ["GET", "/v1/conversations/:id", retrieveConversation],
  ["POST", "/v1/conversations/:id", updateConversation],
  ["DELETE", "/v1/conversations/:id", deleteConversation],
  ["GET", "/v1/conversations/:id/items", listItems],
  ["POST", "/v1/conversations/:id/items", createItems],
  ["GET", "/v1/conversations/:id/items/:item_id", retrieveItem],
  ["DELETE", "/v1/conversations/:id/items/:item_id", deleteItem],
];
