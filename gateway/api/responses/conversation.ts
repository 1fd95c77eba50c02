import { ApiError } from "../../kernel/errors.ts";
import { inputItemId, responseIdOf } from "./items.ts";
import type { InputItem, ResponsesRequest } from "./schemas.ts";
import type { ResponseStore, StoredResponse } from "./store.ts";

/** A response of a client. @throws ApiError 404 if it has none of this id */
export async function findResponse(
  store: ResponseStore,
  owner: string,
  id: string,
  param: string | null = null,
): Promise<StoredResponse> {
  const stored = await store.get(id);
  if (stored !== undefined && stored.owner === owner) return stored;
  throw new ApiError(
    404,
    "invalid_request_error",
    `There is no response '${id.slice(0, 100)}': it was not stored, was deleted, or is too old.`,
    { param, code: "response_not_found" },
  );
}

/**
 * The items of a request's input, and of the whole conversation that ends with them.
 * @throws ApiError 404 if a part of it is not stored
 */
export async function conversationItems(
  store: ResponseStore,
  owner: string,
  body: Pick<ResponsesRequest, "input" | "previous_response_id">,
): Promise<{ input: readonly InputItem[]; all: readonly InputItem[] }> {
  const input = await resolved(store, owner, itemsOf(body.input));
  const history = await itemsUpTo(store, owner, body.previous_response_id);
  return { input, all: [...history, ...input] };
}

/**
 * The conversation up to a response, with its output, from the oldest item.
 * @throws ApiError 404 if a part of it is not stored
 */
async function itemsUpTo(
  store: ResponseStore,
  owner: string,
  responseId: string | null | undefined,
): Promise<InputItem[]> {
  const parts: InputItem[][] = [];
  for (let id = responseId; id; ) {
    const { input, response } = await findResponse(store, owner, id, "previous_response_id");
    parts.push([...input, ...(response.output as InputItem[])]);
    id = response.previous_response_id;
  }
  return parts.toReversed().flat();
}

/**
 * Items with those that they refer to in place of references.
 * @throws ApiError 404 for a reference to an item that is not stored
 */
async function resolved(
  store: ResponseStore,
  owner: string,
  items: readonly InputItem[],
): Promise<InputItem[]> {
  const all: InputItem[] = [];
  for (const [index, item] of items.entries())
    all.push(isReference(item) ? await itemById(store, owner, item.id, `input[${index}].id`) : item);
  return all;
}

const isReference = (item: InputItem): item is Extract<InputItem, { type: "item_reference" }> =>
  item.type === "item_reference";

async function itemById(store: ResponseStore, owner: string, id: string, param: string): Promise<InputItem> {
  const responseId = responseIdOf(id);
  if (responseId !== undefined) {
    const { input, response } = await findResponse(store, owner, responseId, param);
    const all = [...withIds(input, responseId), ...(response.output as InputItem[])];
    const found = all.find((item) => item.id === id);
    if (found !== undefined) return found;
  }
  throw new ApiError(404, "invalid_request_error", `There is no item '${id.slice(0, 100)}'.`, {
    param,
    code: "item_not_found",
  });
}

/** A request's items, as they are listed. */
export const withIds = (input: readonly InputItem[], responseId: string): InputItem[] =>
  input.map((item, index) => ({ ...item, id: item.id ?? inputItemId(responseId, index) }));

/** A request's input as items. */
const itemsOf = (input: string | readonly InputItem[]): readonly InputItem[] =>
  typeof input === "string" ? [{ type: "message", role: "user", content: input }] : input;
