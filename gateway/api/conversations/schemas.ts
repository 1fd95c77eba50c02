import { z } from "zod";
import { item, metadata } from "../responses/schemas.ts";

/** As many items as OpenAI takes at once. */
const items = z.array(item).max(20);

export const conversationRequest = z.object({
  items: items.nullish().describe("The first items, at most 20."),
  metadata: metadata.nullish(),
});

export const conversationUpdate = z.object({ metadata: metadata.nullable() });

export const itemsRequest = z.object({
  items: items.min(1).describe("At most 20 items, as in the input of `/v1/responses`."),
});
