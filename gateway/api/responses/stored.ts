import type { Context } from "hono";
import { z } from "zod";
import type { GatewayEnv } from "../../access/env.ts";
import { ApiError, invalidRequest } from "../../kernel/errors.ts";
import type { GatewayDependencies } from "../dependencies.ts";
import { validateField } from "../openai/validate.ts";
import { followEvents, noEvents } from "./background.ts";
import { findResponse, withIds } from "./conversation.ts";
import { ownerOf } from "./owner.ts";

type StoredRoute = (
  context: Context<GatewayEnv>,
  dependencies: GatewayDependencies,
  id: string,
) => Promise<Response>;

/** `GET /v1/responses/{id}` */
export const retrieveResponse: StoredRoute = async (context, dependencies, id) => {
  const { responses } = dependencies;
  const { response } = await findResponse(responses, ownerOf(context), id);
  const query = (name: string) => context.req.query(name);
  if (!validateField(flag, query("stream"), "stream")) return context.json(response);
  const after = validateField(sequenceNumber, query("starting_after"), "starting_after");
  return followEvents(context, dependencies, id, after + 1, noEvents());
};

const flag = z
  .enum(["true", "false", "1", "0"])
  .default("false")
  .transform((value) => value === "true" || value === "1");
const sequenceNumber = z.coerce.number().int().min(-1).default(-1);

/** `DELETE /v1/responses/{id}` */
export const deleteResponse: StoredRoute = async (context, { responses }, id) => {
  await findResponse(responses, ownerOf(context), id);
  await responses.delete(id);
  return context.json({ id, object: "response", deleted: true });
};

/** `POST /v1/responses/{id}/cancel` */
export const cancelResponse: StoredRoute = async (context, { responses }, id) => {
  const { response } = await findResponse(responses, ownerOf(context), id);
  if (response.background !== true)
    throw invalidRequest(
      "Only responses that were created with background set to true can be cancelled; to cancel another one, close its connection.",
      "response_id",
    );
  if (response.status !== "in_progress") return context.json(response);
  await responses.cancel(id);
  return context.json({ ...response, status: "cancelled" });
};

const limit = z.coerce.number().int().min(1).max(100).default(20);
const order = z.enum(["asc", "desc"]).default("desc");

/** `GET /v1/responses/{id}/input_items` */
export const listInputItems: StoredRoute = async (context, { responses }, id) => {
  const { input } = await findResponse(responses, ownerOf(context), id);
  const query = (name: string) => context.req.query(name);
  const size = validateField(limit, query("limit"), "limit");
  const items = withIds(input, id);
  if (validateField(order, query("order"), "order") === "desc") items.reverse();
  const after = query("after");
  const from = after === undefined ? 0 : items.findIndex((item) => item.id === after) + 1;
  if (after !== undefined && from === 0)
    throw new ApiError(404, "invalid_request_error", `There is no item '${after.slice(0, 100)}'.`, {
      param: "after",
      code: "item_not_found",
    });
  const data = items.slice(from, from + size);
  return context.json({
    object: "list",
    data,
    first_id: data.at(0)?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more: from + size < items.length,
  });
};
