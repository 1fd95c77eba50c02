import type { Context } from "hono";
import type { GatewayEnv } from "../../access/env.ts";
import { ApiError, toApiError } from "../../kernel/errors.ts";
import type { EventStream } from "../../kernel/event-stream.ts";
import { type EventApi, errorEvent } from "../../requests/wire/event-api.ts";
import { eventsIn } from "../../requests/wire/event-text.ts";
import type { GatewayDependencies } from "../dependencies.ts";
import { ownerOf } from "./owner.ts";
import { failedResponse, type ResponseObject } from "./response.ts";
import type { ResponseLog, StoredResponse } from "./store.ts";

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
  if (isStreamed) return followEvents(context, dependencies, id, { from: 0, ...BACKGROUND });
  return Response.json(response, { headers: { "x-request-id": context.var.requestId } });
}

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
    stream.write(errorEvent(api, toApiError(error), { requestId: context.var.requestId, tail }));
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

/** How the events of responses are followed. */
export const BACKGROUND = {
  api: "responses",
  get missing() {
    return new ApiError(
      400,
      "invalid_request_error",
      "Only responses that were created with background set to true can be streamed again.",
      { param: "stream", code: "invalid_value" },
    );
  },
} as const;

/** Writes events into a log. */
export class LoggedStream implements EventStream {
  readonly response = new Response(null);
  readonly #log: ResponseLog;
  readonly #options: LoggedStreamOptions;
  #count = 0;
  #isOver = false;
  onWritable: (() => void) | undefined;
  onAbort: (() => void) | undefined;

  constructor(log: ResponseLog, options: LoggedStreamOptions = {}) {
    this.#log = log;
    this.#options = options;
  }

  /** @param text whole events */
  write(text: string): boolean {
    if (this.#isOver) return true;
    for (const event of eventsIn(text)) {
      const id = this.#options.idOf?.(this.#count);
      this.#count++;
      this.#log.append(id === undefined ? event : `id: ${id}\n${event.replaceAll(OTHER_IDS, "")}`);
    }
    return true;
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    void this.#log.end();
    this.#options.onEnd?.();
  }

  /** Ends a response that does not say itself how it ends. */
  endWith(type: string, response: ResponseObject): void {
    const data = { type, sequence_number: this.#count, response };
    this.write(`event: ${type}\ndata: ${JSON.stringify(data)}\n\n`);
    this.end();
  }
}

export interface LoggedStreamOptions {
  /** The id of each event; default: they have none. */
  idOf?(number: number): string;
  onEnd?(): void;
}

/** Ids that an engine gives its events. */
const OTHER_IDS = /^id(?::.*)?(?:\r\n|\n|\r)/gm;
