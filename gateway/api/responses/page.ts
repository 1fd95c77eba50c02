import type { Context } from "hono";
import { z } from "zod";
import type { GatewayEnv } from "../../access/env.ts";
import { ApiError } from "../../kernel/errors.ts";
import { validateField } from "../openai/validate.ts";

const limit = z.coerce.number().int().min(1).max(100).default(20);
const order = z.enum(["asc", "desc"]).default("desc");

interface Listed {
  readonly id?: string | null | undefined;
}

/**
 * The page of a list that the query's `after`, `limit` and `order` ask for.
 * @param items the oldest first
 * @throws ApiError 400 if a parameter is invalid, 404 if there is no item `after`
 */
export function pageOf<Item extends Listed>({ req }: Context<GatewayEnv>, items: readonly Item[]) {
  const size = validateField(limit, req.query("limit"), "limit");
  const isDescending = validateField(order, req.query("order"), "order") === "desc";
  const ordered = isDescending ? items.toReversed() : items;
  const after = req.query("after");
  const from = after === undefined ? 0 : ordered.findIndex(({ id }) => id === after) + 1;
  if (after !== undefined && from === 0)
    throw new ApiError(404, "invalid_request_error", `There is no item '${after.slice(0, 100)}'.`, {
      param: "after",
      code: "item_not_found",
    });
  return listOf(ordered.slice(from, from + size), from + size < ordered.length);
}

/** A list as clients see it. */
export const listOf = <Item extends Listed>(data: readonly Item[], hasMore: boolean) => ({
  object: "list",
  data,
  first_id: data.at(0)?.id ?? null,
  last_id: data.at(-1)?.id ?? null,
  has_more: hasMore,
});
