import type { z } from "zod";
import { validate } from "../openai/validate.ts";
import { resolvedItems } from "../responses/conversation.ts";
import { refuseUnsupportedItems } from "../responses/prompt.ts";
import type { InputItem } from "../responses/schemas.ts";
import type { ResponseStore } from "../responses/store.ts";
import type { KeptItem } from "./changes.ts";
import { keptItem } from "./kept-item.ts";

/**
 * The items of a request, as a conversation keeps them.
 * @throws ApiError 400 if one is invalid, 404 if one refers to an item that is not kept
 */
export async function itemsToKeep(
  store: ResponseStore,
  owner: string,
  json: unknown,
  schema: z.ZodType<{ items?: readonly InputItem[] | null | undefined }>,
): Promise<KeptItem[]> {
  refuseUnsupportedItems(json, "items");
  const { items } = validate(schema, json);
  return (await resolvedItems(store, owner, items ?? [], "items")).map(keptItem);
}
