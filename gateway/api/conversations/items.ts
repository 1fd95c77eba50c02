import type { Context } from "hono";
import { readJsonBody } from "../../access/body.ts";
import type { GatewayEnv } from "../../access/env.ts";
import { ApiError } from "../../kernel/errors.ts";
import { includedIn, LOGPROBS } from "../responses/include.ts";
import { ownerOf } from "../responses/owner.ts";
import { listOf, pageOf } from "../responses/page.ts";
import type { KeptConversation, KeptItem } from "./changes.ts";
import { type ConversationRoute, change, conversationObject } from "./conversations.ts";
import { findConversation } from "./find.ts";
import { bodyWithItems, itemsToKeep } from "./items-to-keep.ts";
import { itemsRequest } from "./schemas.ts";

/** `GET /v1/conversations/{id}/items` */
export const listItems: ConversationRoute = async (context, { responses }, id) => {
  const show = shownIn(context);
  const { items } = await findConversation(responses, ownerOf(context), id);
  return context.json(pageOf(context, items.map(show)));
};

/** `POST /v1/conversations/{id}/items` */
export const createItems: ConversationRoute = async (context, { responses, bodyLimit }, id) => {
  const show = shownIn(context);
  const { json } = await readJsonBody(context.req.raw, bodyLimit);
  const owner = ownerOf(context);
  const conversation = await findConversation(responses, owner, id);
  const given = bodyWithItems(itemsRequest, json);
  const items = await itemsToKeep(responses, owner, given.items, conversation.items);
  await change(responses, id, { type: "added", items });
  return context.json(listOf(items.map(show), false));
};

/** `GET /v1/conversations/{id}/items/{item_id}` */
export const retrieveItem: ConversationRoute = async (context, { responses }, id) => {
  const show = shownIn(context);
  const conversation = await findConversation(responses, ownerOf(context), id);
  return context.json(show(itemOf(context, conversation)));
};

/** `DELETE /v1/conversations/{id}/items/{item_id}` */
export const deleteItem: ConversationRoute = async (context, { responses }, id) => {
  const conversation = await findConversation(responses, ownerOf(context), id);
  await change(responses, id, { type: "removed", id: itemOf(context, conversation).id });
  return context.json(conversationObject(id, conversation));
};

/** The item that the path names. @throws ApiError 404 */
function itemOf(context: Context<GatewayEnv>, { items }: KeptConversation): KeptItem {
  const itemId = context.req.param("item_id") ?? "";
  const found = items.find(({ id }) => id === itemId);
  if (found !== undefined) return found;
  throw new ApiError(404, "invalid_request_error", `Item with id '${itemId.slice(0, 100)}' not found.`, {
    code: "item_not_found",
  });
}

/** How the request's items are shown: with log probabilities only if it includes them. */
const shownIn = (context: Context<GatewayEnv>): ((item: KeptItem) => KeptItem) =>
  includedIn(context).includes(LOGPROBS) ? (item) => item : withoutLogprobs;

function withoutLogprobs(item: KeptItem): KeptItem {
  if (!("content" in item) || !Array.isArray(item.content)) return item;
  const content = item.content.map((part) => ("logprobs" in part ? { ...part, logprobs: [] } : part));
  return { ...item, content } as KeptItem;
}
