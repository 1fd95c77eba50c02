import type { Context } from "hono";
import { randomId } from "#runtime";
import { readJsonBody } from "../../access/body.ts";
import type { GatewayEnv } from "../../access/env.ts";
import type { GatewayDependencies } from "../dependencies.ts";
import { validate } from "../openai/validate.ts";
import { ownerOf } from "../responses/owner.ts";
import type { Change, KeptConversation } from "./changes.ts";
import { findConversation, noConversation } from "./find.ts";
import { CONVERSATION } from "./id.ts";
import { bodyWithItems, itemsToKeep } from "./items-to-keep.ts";
import { conversationRequest, conversationUpdate } from "./schemas.ts";

/** A route of the conversation with this id. */
export type ConversationRoute = (
  context: Context<GatewayEnv>,
  dependencies: GatewayDependencies,
  id: string,
) => Promise<Response>;

/** `POST /v1/conversations` */
export async function createConversation(
  context: Context<GatewayEnv>,
  { responses, bodyLimit }: GatewayDependencies,
): Promise<Response> {
  const { json = {} } = await readJsonBody(context.req.raw, bodyLimit, true);
  const owner = ownerOf(context);
  const { items: given, metadata } = bodyWithItems(conversationRequest, json);
  const items = await itemsToKeep(responses, owner, given ?? []);
  const id = `${CONVERSATION}${randomId()}`;
  const createdAt = Math.floor(Date.now() / 1000);
  const created = { owner, createdAt, metadata: metadata ?? {}, items };
  await responses.begin(id, { type: "created", ...created });
  return context.json(conversationObject(id, created));
}

/** `GET /v1/conversations/{id}` */
export const retrieveConversation: ConversationRoute = async (context, { responses }, id) =>
  context.json(conversationObject(id, await findConversation(responses, ownerOf(context), id)));

/** `POST /v1/conversations/{id}` */
export const updateConversation: ConversationRoute = async (context, { responses, bodyLimit }, id) => {
  const { json } = await readJsonBody(context.req.raw, bodyLimit);
  const metadata = validate(conversationUpdate, json).metadata ?? {};
  const conversation = await findConversation(responses, ownerOf(context), id);
  await change(responses, id, { type: "described", metadata });
  return context.json(conversationObject(id, { ...conversation, metadata }));
};

/** `DELETE /v1/conversations/{id}` */
export const deleteConversation: ConversationRoute = async (context, { responses }, id) => {
  await findConversation(responses, ownerOf(context), id);
  await responses.delete(id);
  return context.json({ id, object: "conversation.deleted", deleted: true });
};

/** Changes a conversation. @throws ApiError 404 if it was deleted meanwhile */
export async function change(
  responses: GatewayDependencies["responses"],
  id: string,
  change: Change,
): Promise<void> {
  if (!(await responses.change(id, change))) throw noConversation(id);
}

/** A conversation as clients see it: https://platform.openai.com/docs/api-reference/conversations/object */
export const conversationObject = (id: string, { createdAt, metadata }: KeptConversation) => ({
  id,
  object: "conversation",
  created_at: createdAt,
  metadata,
});
