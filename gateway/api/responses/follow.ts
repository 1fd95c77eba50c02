import type { Context } from "hono";
import type { GatewayEnv } from "../../access/env.ts";
import { type ApiError, toApiError } from "../../kernel/errors.ts";
import { type EventApi, errorEvent } from "../../requests/wire/event-api.ts";
import type { GatewayDependencies } from "../dependencies.ts";
import { ownerOf } from "./owner.ts";

/**
 * Streams the events of a response in the background. If its maker has died, they end with an error.
 * @param from how many are left out
 * @param owner whose they must be; default: the client's key
 * @param api whose events they are
 * @param missing the error if it has none, or they belong to another owner
 */
export async function followEvents(
  context: Context<GatewayEnv>,
  { responses, openEventStream }: GatewayDependencies,
  id: string,
  { from, owner = ownerOf(context), api, missing }: Followed,
): Promise<Response> {
  const leaving = new AbortController();
  const events = await responses.follow(id, owner, from, leaving.signal);
  if (events === undefined) throw missing;
  const stream = openEventStream(context, { "x-request-id": context.var.requestId });
  let onWritable: (() => void) | undefined;
  stream.onWritable = () => onWritable?.();
  stream.onAbort = () => {
    leaving.abort();
    onWritable?.();
  };
  let tail = "";
  void (async () => {
    for await (const event of events) {
      tail = event;
      if (stream.write(event)) continue;
      await new Promise<void>((resolve) => {
        onWritable = resolve;
        if (leaving.signal.aborted) resolve();
      });
    }
    if (!leaving.signal.aborted) stream.end();
  })().catch((error: unknown) => {
    const { requestId } = context.var;
    stream.write(errorEvent(api, toApiError(error), { requestId, tail, next: from }));
    stream.end();
  });
  return stream.response;
}

/** What is followed, and from where. */
interface Followed {
  readonly from: number;
  readonly owner?: string;
  readonly api: EventApi | undefined;
  readonly missing: ApiError;
}

/** How the events of a response are followed. @param missing the error if it has none */
export const eventsOf = (missing: ApiError) => ({ api: "responses", missing }) as const;
