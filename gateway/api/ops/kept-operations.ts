import { conversationRequest, conversationUpdate, itemsRequest } from "../conversations/schemas.ts";
import { GUARDED, TAKES_JSON } from "./answers.ts";
import type { Operation } from "./operation.ts";

/** Responses of routes of what the gateway keeps. */
const KEPT = {
  "404": "The key has none of this id: it was deleted, or is too old.",
  "503": "The store of responses cannot be reached (--responses-store).",
};

const PAGE = {
  after: "The id of the item after which the page begins.",
  limit: "How many items, from 1 to 100; default 20.",
  order: "`asc` or `desc`, the default: the newest first.",
};
const INCLUDE = { include: "`message.output_text.logprobs` adds log probabilities to items that have them." };

const user = { type: "message", role: "user", content: "What is the capital of France?" };

/** Routes of responses and conversations that the gateway keeps. */
export const KEPT_OPERATIONS: readonly Operation[] = [
  {
    method: "get",
    path: "/v1/responses/{id}",
    summary: "Retrieve a response",
    description: "As it is, or its events if it was created in the background.",
    query: {
      stream: "`true` streams the events of a response in the background.",
      starting_after: "The number of the event after which the stream begins; only with `stream=true`.",
    },
    responses: { "200": "The response, or a stream of events.", ...GUARDED, ...KEPT },
  },
  {
    method: "delete",
    path: "/v1/responses/{id}",
    summary: "Delete a response",
    description: "One that is being made is cancelled.",
    responses: { "200": "Deleted.", ...GUARDED, ...KEPT },
  },
  {
    method: "post",
    path: "/v1/responses/{id}/cancel",
    summary: "Cancel a response in the background",
    description: "One that has ended stays as it is.",
    responses: { "200": "The response.", ...GUARDED, ...KEPT },
  },
  {
    method: "get",
    path: "/v1/responses/{id}/input_items",
    summary: "List the items of a response's input",
    description: "In pages.",
    query: PAGE,
    responses: { "200": "A page of items.", ...GUARDED, ...KEPT },
  },
  {
    method: "post",
    path: "/v1/conversations",
    summary: "Create a conversation",
    description: "Responses continue it by its id, in `conversation`.",
    requestSchema: conversationRequest,
    isBodyOptional: true,
    example: { items: [user], metadata: { topic: "geography" } },
    responses: { "200": "The conversation.", ...TAKES_JSON, ...KEPT },
  },
  {
    method: "get",
    path: "/v1/conversations/{id}",
    summary: "Retrieve a conversation",
    description: "Without its items.",
    responses: { "200": "The conversation.", ...GUARDED, ...KEPT },
  },
  {
    method: "post",
    path: "/v1/conversations/{id}",
    summary: "Change a conversation",
    description: "Replaces its metadata.",
    requestSchema: conversationUpdate,
    example: { metadata: { topic: "history" } },
    responses: { "200": "The conversation.", ...TAKES_JSON, ...KEPT },
  },
  {
    method: "delete",
    path: "/v1/conversations/{id}",
    summary: "Delete a conversation",
    description: "With its items. Its responses stay.",
    responses: { "200": "Deleted.", ...GUARDED, ...KEPT },
  },
  {
    method: "get",
    path: "/v1/conversations/{id}/items",
    summary: "List a conversation's items",
    description: "In pages.",
    query: { ...PAGE, ...INCLUDE },
    responses: { "200": "A page of items.", ...GUARDED, ...KEPT },
  },
  {
    method: "post",
    path: "/v1/conversations/{id}/items",
    summary: "Add items to a conversation",
    description: "At its end, in their order.",
    query: INCLUDE,
    requestSchema: itemsRequest,
    example: { items: [user] },
    responses: { "200": "The items that were added.", ...TAKES_JSON, ...KEPT },
  },
  {
    method: "get",
    path: "/v1/conversations/{id}/items/{item_id}",
    summary: "Retrieve an item",
    description: "Items of responses keep the ids that they have there.",
    query: INCLUDE,
    responses: { "200": "The item.", ...GUARDED, ...KEPT },
  },
  {
    method: "delete",
    path: "/v1/conversations/{id}/items/{item_id}",
    summary: "Remove an item from a conversation",
    description: "The response that made it still has it.",
    responses: { "200": "The conversation.", ...GUARDED, ...KEPT },
  },
];
