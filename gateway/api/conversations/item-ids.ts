import { invalidRequest } from "../../kernel/errors.ts";
import type { InputItem, PlainItem } from "../responses/schemas.ts";

/** Ids that a path can name. */
const WELL_FORMED = /^[\w-]{1,256}$/;

/**
 * Refuses items whose ids are malformed or given twice: clients page through a conversation by its items' ids.
 * @param name the parameter that the items are
 * @throws ApiError 400
 */
export function refuseItemIds(items: readonly PlainItem[], name: "input" | "items"): void {
  const seen = new Set<string>();
  for (const [index, { id }] of items.entries()) {
    if (id === undefined || id === null) continue;
    const param = `${name}[${index}].id`;
    if (!WELL_FORMED.test(id))
      throw invalidRequest(
        `'${param}' must be 1 to 256 letters, digits, '_' and '-'. Leave it out to get one.`,
        param,
      );
    if (seen.has(id))
      throw invalidRequest(
        `'${param}' is given twice: '${id}' is another item's id too. Leave it out to get a new one.`,
        param,
      );
    seen.add(id);
  }
}

/** Refuses items that a conversation already has. @throws ApiError 400 */
export function refuseKnownItems(items: readonly PlainItem[], known: readonly InputItem[]): void {
  const ids = new Set(known.map(({ id }) => id));
  const index = items.findIndex(({ id }) => typeof id === "string" && ids.has(id));
  if (index < 0) return;
  const param = `items[${index}].id`;
  throw invalidRequest(
    `'${param}': the conversation already has an item '${items[index]!.id}'. Leave the id out to add another one.`,
    param,
  );
}

/** The items that a conversation does not have yet. */
export function withoutKnownItems<Item extends PlainItem>(
  items: readonly Item[],
  known: readonly InputItem[],
): Item[] {
  const ids = new Set(known.map(({ id }) => id));
  return items.filter(({ id }) => typeof id !== "string" || !ids.has(id));
}
