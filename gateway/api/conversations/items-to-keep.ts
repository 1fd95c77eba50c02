import type { z } from "zod";
import { validate } from "../openai/validate.ts";
import { resolvedItems } from "../responses/conversation.ts";
import { refuseUnsupportedItems } from "../responses/prompt.ts";
import type { InputItem } from "../responses/schemas.ts";
import type { ResponseStore } from "../responses/store.ts";
import type { KeptItem } from "./changes.ts";
import { refuseItemIds, refuseKnownItems } from "./item-ids.ts";
import { keptItem } from "./kept-item.ts";

/**
 * A request's items, as a conversation keeps them.
 * @param known the items that the conversation has
 * @throws ApiError 400 if one has an id that is malformed or known, 404 if one refers to an item that is not kept
 */
export async function itemsToKeep(
  store: ResponseStore,
  owner: string,
  items: readonly InputItem[],
  known: readonly KeptItem[] = [],
): Promise<KeptItem[]> {
  const resolved = await resolvedItems(store, owner, items, "items");
  refuseItemIds(resolved, "items");
  refuseKnownItems(resolved, known);
  return resolved.map(keptItem);
}

/** A body with items. @throws ApiError 400 if it is invalid */
export function bodyWithItems<Schema extends z.ZodType>(schema: Schema, json: unknown): z.infer<Schema> {
  refuseUnsupportedItems(json, "items");
  return validate(schema, json);
}
