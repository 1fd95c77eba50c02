import { ApiError, invalidRequest } from "../../kernel/errors.ts";
import { conversationAfter, type KeptItem } from "../conversations/changes.ts";
import { findConversation } from "../conversations/find.ts";
import { conversationIdOf } from "../conversations/id.ts";
import { refuseItemIds, withoutKnownItems } from "../conversations/item-ids.ts";
import { keptItem } from "../conversations/kept-item.ts";
import { inputItemId, RESPONSE, responseIdOf } from "./items.ts";
import type { InputItem, PlainItem, ResponsesRequest } from "./schemas.ts";
import type { ResponseStore, StoredResponse } from "./store.ts";

/** A response of a client. @throws ApiError 404 if it has none of this id */
export async function findResponse(
  store: ResponseStore,
  owner: string,
  id: string,
  param: string | null = null,
): Promise<StoredResponse> {
  // The same store keeps conversations, which are no responses.
  const stored = id.startsWith(RESPONSE) ? await store.get(id) : undefined;
  if (stored !== undefined && stored.owner === owner) return stored;
  throw noResponse(id, param);
}

export const noResponse = (id: string, param: string | null = null) =>
  new ApiError(
    404,
    "invalid_request_error",
    `There is no response '${id.slice(0, 100)}': it was not stored, was deleted, or is too old.`,
    { param, code: "response_not_found" },
  );

/**
 * The items of a request's input, and of the whole conversation that ends with them. Input that the request's
 * conversation already has is left out.
 * @throws ApiError 404 if a part of it is not stored
 */
export async function conversationItems(
  store: ResponseStore,
  owner: string,
  body: Pick<ResponsesRequest, "input" | "previous_response_id" | "conversation">,
): Promise<{ input: readonly PlainItem[]; all: readonly InputItem[] }> {
  const history = await historyOf(store, owner, body);
  const given = await resolvedItems(store, owner, itemsOf(body.input), "input", history);
  if (history.length + given.length === 0)
    throw invalidRequest("'input' is empty, and nothing comes before it. Send a text or items.", "input");
  const isKept = conversationIdOf(body.conversation) !== undefined;
  if (isKept) refuseItemIds(given, "input");
  const input = isKept ? withoutKnownItems(given, history) : given;
  return { input, all: [...history, ...input] };
}

/** What comes before the input. @throws ApiError 400 if the request names two histories */
async function historyOf(
  store: ResponseStore,
  owner: string,
  { previous_response_id, conversation }: Pick<ResponsesRequest, "previous_response_id" | "conversation">,
): Promise<readonly InputItem[]> {
  const id = conversationIdOf(conversation);
  if (id === undefined) return itemsUpTo(store, owner, previous_response_id);
  if (previous_response_id)
    throw invalidRequest(
      "'previous_response_id' and 'conversation' exclude each other: both name what comes before the input.",
      "previous_response_id",
      "mutually_exclusive_parameters",
    );
  return (await findConversation(store, owner, id, "conversation")).items;
}

/**
 * The conversation up to a response, with its output, from the oldest item.
 * @throws ApiError 404 if a part of it is not stored, 400 if it is still being made
 */
async function itemsUpTo(
  store: ResponseStore,
  owner: string,
  responseId: string | null | undefined,
): Promise<InputItem[]> {
  const parts: InputItem[][] = [];
  for (let id = responseId; id; ) {
    const stored = await findResponse(store, owner, id, "previous_response_id");
    const { input, response } = stored;
    if (response.status === "in_progress") throw stillMade(id);
    const before = response.conversation ? await itemsBefore(store, stored) : [];
    parts.push([...before, ...input, ...(response.output as InputItem[])]);
    id = response.previous_response_id;
  }
  return parts.toReversed().flat();
}

const stillMade = (id: string) =>
  invalidRequest(
    `The response '${id}' is still being made. Continue it once it has ended; GET /v1/responses/${id}?stream=true tells when.`,
    "previous_response_id",
    "response_in_progress",
  );

/** What came in a conversation before a response's input; nothing if the conversation was deleted. */
async function itemsBefore(
  store: ResponseStore,
  { input, response }: StoredResponse,
): Promise<readonly InputItem[]> {
  const { id } = response.conversation!;
  const { items } = conversationAfter((await store.changes(id)) ?? []) ?? { items: [] };
  const first = response.output[0]?.id;
  const end = items.findIndex((item) => item.id === first);
  return items.slice(0, Math.max(0, end - input.length));
}

/**
 * Items with those that they refer to in place of references.
 * @param name the parameter that they are
 * @param history further items that they may refer to
 * @throws ApiError 404 for a reference to an item that is not stored
 */
export async function resolvedItems(
  store: ResponseStore,
  owner: string,
  items: readonly InputItem[],
  name: "input" | "items",
  history: readonly InputItem[] = [],
): Promise<PlainItem[]> {
  const all: PlainItem[] = [];
  for (const [index, item] of items.entries()) {
    if (item.type !== "item_reference") {
      all.push(item);
      continue;
    }
    const known = history.find((each): each is PlainItem => isPlain(each) && each.id === item.id);
    all.push(known ?? (await itemById(store, owner, item.id, `${name}[${index}].id`)));
  }
  return all;
}

const isPlain = (item: InputItem): item is PlainItem => item.type !== "item_reference";

async function itemById(store: ResponseStore, owner: string, id: string, param: string): Promise<PlainItem> {
  const responseId = responseIdOf(id);
  if (responseId !== undefined) {
    const { input, response } = await findResponse(store, owner, responseId, param);
    const all = [...listedInput(input, responseId), ...(response.output as PlainItem[])];
    const found = all.find((item) => item.id === id);
    if (found !== undefined) return found;
  }
  throw new ApiError(404, "invalid_request_error", `There is no item '${id.slice(0, 100)}'.`, {
    param,
    code: "item_not_found",
  });
}

/** A request's items, as they are listed. Of items with the same id, the first keeps it: clients page by ids. */
export function listedInput(input: readonly PlainItem[], responseId: string): KeptItem[] {
  const ids = new Set<string>();
  return input.map((item, index) => {
    const isFree = typeof item.id === "string" && item.id !== "" && !ids.has(item.id);
    const id = isFree ? item.id! : inputItemId(responseId, index);
    ids.add(id);
    return keptItem({ ...item, id });
  });
}

/** A request's input as items. */
const itemsOf = (input: string | readonly InputItem[]): readonly InputItem[] =>
  typeof input === "string" ? [{ type: "message", role: "user", content: input }] : input;
