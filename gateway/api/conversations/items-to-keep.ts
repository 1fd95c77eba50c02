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
 * The items of a request, as a conversation keeps them.
 * @param known the items that the conversation has
 * @throws ApiError 400 if one is invalid or known, 404 if one refers to an item that is not kept
 */
export async function itemsToKeep(
  store: ResponseStore,
  owner: string,
  json: unknown,
  schema: z.ZodType<{ items?: readonly InputItem[] | null | undefined }>,
  known: readonly KeptItem[] = [],
): Promise<KeptItem[]> {
  refuseUnsupportedItems(json, "items");
  const { items } = validate(schema, json);
  const resolved = await resolvedItems(store, owner, items ?? [], "items");
  refuseItemIds(resolved, "items");
  refuseKnownItems(resolved, known);
  return resolved.map(keptItem);
}
