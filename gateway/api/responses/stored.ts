import type { Context } from "hono";
import { z } from "zod";
import type { GatewayEnv } from "../../access/env.ts";
import { invalidRequest } from "../../kernel/errors.ts";
import type { GatewayDependencies } from "../dependencies.ts";
import { validateField } from "../openai/validate.ts";
import { findResponse, listedInput, noResponse } from "./conversation.ts";
import { eventsOf, followEvents } from "./follow.ts";
import { includedIn } from "./include.ts";
import { ownerOf } from "./owner.ts";
import { pageOf } from "./page.ts";
import type { ResponseObject } from "./response.ts";

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
  includedIn(context);
  if (!validateField(flag, query("stream"), "stream")) {
    if (query("starting_after") === undefined) return context.json(response);
    throw invalidRequest("'starting_after' is only allowed together with 'stream=true'.", "starting_after");
  }
  const after = validateField(sequenceNumber, query("starting_after"), "starting_after");
  // One in the background has events until it is deleted.
  const missing = response.background === true ? noResponse(id) : notInBackground();
  return followEvents(context, dependencies, id, { from: after + 1, ...eventsOf(missing) });
};

const notInBackground = () =>
  invalidRequest(
    "Only responses that were created with background set to true can be streamed again.",
    "stream",
  );

const flag = z
  .enum(["true", "false", "1", "0"])
  .default("false")
  .transform((value) => value === "true" || value === "1");
const sequenceNumber = z
  .string()
  .regex(/^(-1|\d{1,15})$/, "it must be the number of an event.")
  .default("-1")
  .transform(Number);

/** `DELETE /v1/responses/{id}` */
export const deleteResponse: StoredRoute = async (context, { responses }, id) => {
  await findResponse(responses, ownerOf(context), id);
  await responses.delete(id);
  return context.json({ id, object: "response", deleted: true });
};

/** `POST /v1/responses/{id}/cancel` */
export const cancelResponse: StoredRoute = async (context, { responses }, id) => {
  const stored = await findResponse(responses, ownerOf(context), id);
  const { response } = stored;
  if (response.background !== true)
    throw invalidRequest(
      "Only responses that were created with background set to true can be cancelled; to cancel another one, close its connection.",
      "response_id",
    );
  if (response.status !== "in_progress") return context.json(response);
  const cancelled: ResponseObject = { ...response, status: "cancelled" };
  if (await responses.settle({ ...stored, response: cancelled })) {
    await responses.cancel(id);
    return context.json(cancelled);
  }
  return context.json((await findResponse(responses, ownerOf(context), id)).response);
};

/** `GET /v1/responses/{id}/input_items` */
export const listInputItems: StoredRoute = async (context, { responses }, id) => {
  includedIn(context);
  const { input } = await findResponse(responses, ownerOf(context), id);
  return context.json(pageOf(context, listedInput(input, id)));
};

/** The routes of a response that the gateway keeps. */
export const STORED_ROUTES: readonly [string, `/v1/responses/:id${string}`, StoredRoute][] = [
  ["GET", "/v1/responses/:id", retrieveResponse],
  ["DELETE", "/v1/responses/:id", deleteResponse],
  ["POST", "/v1/responses/:id/cancel", cancelResponse],
  ["GET", "/v1/responses/:id/input_items", listInputItems],
];
