import type { Context } from "hono";
import { randomId } from "#runtime";
import type { GatewayEnv } from "../access/env.ts";
import { ApiError } from "../kernel/errors.ts";
import { isRecord } from "../kernel/json.ts";
import type { GatewayDependencies } from "./dependencies.ts";
import { ENDPOINTS } from "./endpoints.ts";
import { RESUMABLE_HEADER, resumableHeader } from "./openai/stator-extension.ts";
import { followEvents } from "./responses/follow.ts";
import { STREAM } from "./responses/items.ts";
import { LoggedStream } from "./responses/logged-stream.ts";
import { ownerOf } from "./responses/owner.ts";

/** For how long a stream can be resumed after its end, in milliseconds. */
const KEPT_MS = 10 * 60 * 1000;

const EVENT_ID = /^(strm_[0-9a-z]{16})-(\d{1,9})$/;

/**
 * Resumes the stream that the header `last-event-id` names, after that event.
 * @returns undefined if the header names none of ours
 * @throws ApiError 404 if it is not kept, or belongs to another key or path
 */
export async function resumeStream(
  context: Context<GatewayEnv>,
  dependencies: GatewayDependencies,
): Promise<Response | undefined> {
  const given = context.req.header("last-event-id") ?? "";
  if (!given.startsWith(STREAM)) return undefined;
  const [, id, number] = EVENT_ID.exec(given) ?? [];
  context.set("isCounted", true);
  if (id === undefined) throw missing();
  return followEvents(context, dependencies, id, { from: Number(number) + 1, ...streamOf(context) });
}

const streamOf = (context: Context<GatewayEnv>) => ({
  owner: followerOf(context),
  api: ENDPOINTS.get(context.req.path)?.events,
  missing: missing(),
});

/** Who may resume a stream: the same key, on the same path, whose events it has. */
const followerOf = (context: Context<GatewayEnv>) => `${ownerOf(context)} ${context.req.path}`;

const missing = () =>
  new ApiError(
    404,
    "not_found_error",
    "There is no stream with this Last-Event-ID: it ended too long ago, or belongs to another key or path. Send the request again without the header.",
    { param: "last-event-id", code: "stream_not_found" },
  );

/**
 * Whether a request asks for a stream that can be resumed.
 * @throws ApiError 400 for a header that says neither
 */
export function isResumable(context: Context<GatewayEnv>, json: unknown): boolean {
  const header = resumableHeader(context.req.header(RESUMABLE_HEADER));
  if (!isRecord(json) || json.stream !== true || json.background === true) return false;
  if (header !== undefined) return header;
  return isRecord(json.stator) && json.stator.resumable === true;
}

/**
 * Streams an answer that is made whether or not the client stays, and gives its events ids.
 * @param answer makes the answer
 */
export async function resumableStream(
  context: Context<GatewayEnv>,
  dependencies: GatewayDependencies,
  answer: () => Promise<Response>,
): Promise<Response> {
  const { responses } = dependencies;
  const id = `${STREAM}${randomId()}`;
  const log = await responses.openLog(id, followerOf(context));
  const forget = () => responses.delete(id).catch(() => {});
  const stream = new LoggedStream(log, {
    idOf: (number) => `${id}-${number}`,
    onEnd: () => setTimeout(forget, KEPT_MS).unref?.(),
  });
  context.set("detached", {
    signal: log.cancelled,
    openStream: () => stream,
  });
  try {
    await answer();
  } catch (error) {
    await forget();
    throw error;
  }
  return followEvents(context, dependencies, id, { from: 0, ...streamOf(context) });
}
