import type { Context } from "hono";
import type { GatewayEnv } from "../../access/env.ts";
import { toApiError } from "../../kernel/errors.ts";
import type { GatewayDependencies } from "../dependencies.ts";
import { noResponse } from "./conversation.ts";
import { eventsOf, followEvents } from "./follow.ts";
import { LoggedStream } from "./logged-stream.ts";
import { failedResponse, type ResponseObject } from "./response.ts";
import type { StoredResponse } from "./store.ts";

/**
 * Makes a response in the background.
 * @param stored the response as it begins
 * @param make writes its events
 * @returns the response, or its events if the client wants a stream
 * @throws ApiError if the request is refused
 */
export async function inBackground(
  context: Context<GatewayEnv>,
  dependencies: GatewayDependencies,
  stored: StoredResponse,
  isStreamed: boolean,
  make: () => Promise<unknown>,
): Promise<Response> {
  const { responses, log } = dependencies;
  const { response } = stored;
  const { id } = response;
  const events = await responses.openLog(id, stored.owner);
  await responses.put(stored);
  const stream = new LoggedStream(events);
  // Whoever sees that the events have ended also sees how.
  const end = (ended: ResponseObject) =>
    responses
      .settle({ ...stored, response: ended })
      .catch((error: unknown) =>
        log.error("cannot store a response", { response: id, reason: String(error) }),
      )
      .then(() => stream.endWith(`response.${ended.status}`, ended));
  events.cancelled.addEventListener("abort", () => void end({ ...response, status: "cancelled" }));
  const accepted = Promise.withResolvers<true>();
  context.set("detached", {
    signal: events.cancelled,
    openStream: () => stream,
    onAccepted: () => accepted.resolve(true),
  });
  const made = make().then(
    () => accepted.resolve(true),
    (error: unknown) => {
      accepted.reject(error);
      return end(failedResponse(response, [], toApiError(error)));
    },
  );
  try {
    await accepted.promise;
  } catch (error) {
    await made;
    await responses.delete(id);
    throw error;
  }
  if (isStreamed) return followEvents(context, dependencies, id, { from: 0, ...eventsOf(noResponse(id)) });
  return Response.json(response, { headers: { "x-request-id": context.var.requestId } });
}
