import type { Context } from "hono";
import { mediaKinds } from "#runtime";
import type { GatewayEnv } from "../../access/env.ts";
import { ApiError, invalidRequest } from "../../kernel/errors.ts";
import type { MediaField } from "../../media/fields.ts";
import { type Medium, mediaTypeOf } from "../../media/medium.ts";
import type { RequestMedia } from "../../media/read-media.ts";
import type { WorkerSide } from "../../models/model.ts";
import { type Reading, readTexts } from "../../requests/tokens/encode/media-texts.ts";
import type { GatewayDependencies } from "../dependencies.ts";

interface FoundMedium {
  readonly field: MediaField;
  readonly medium: Medium;
}

/**
 * Has media read, for a model that takes only text.
 * @throws ApiError 400 with the path of one that cannot be read, or 503 if no reader could do it
 */
export async function replaceByReadings(
  context: Context<GatewayEnv>,
  { models, requestOptions, warnings }: GatewayDependencies,
  model: WorkerSide,
  media: RequestMedia,
  found: readonly FoundMedium[],
): Promise<void> {
  const { requestId, cacheSalt = "" } = context.var;
  const wanted = await Promise.all(
    found.map(async (each) => ({ ...each, ...(await identified(each, cacheSalt)) })),
  );
  const distinct = [...new Map(wanted.map(({ item }) => [item.id, item])).values()];
  const { signal } = context.req.raw;
  const { encodeMs } = requestOptions;
  const readings = await readTexts(distinct, {
    ...{ models, requestId, encodeMs, warnings, signal },
    metrics: model.metrics.routing.encodes,
  });
  for (const { field, medium, item } of wanted) {
    const reading = readings.get(item.id);
    if (reading === undefined) throw unread(field);
    if (reading.kind === "refused") throw refused(field, reading);
    media.replace(medium, shown(item.kind, reading.text));
  }
}

async function identified({ medium }: FoundMedium, salt: string) {
  const kind = mediaKinds.find((each) => each === medium.kind) ?? "image";
  const id = `${salt} ${(await medium.digest()) ?? ""}`;
  return { item: { id, kind, type: mediaTypeOf(medium), data: medium.bytes() } };
}

/** What a model gets in place of a medium. */
const shown = (kind: string, text: string) =>
  `<${kind}>\n${text.trim() === "" ? `(There is no text in this ${kind}.)` : text.trim()}\n</${kind}>`;

const refused = ({ path }: MediaField, { message, isTooLarge }: Extract<Reading, { kind: "refused" }>) =>
  invalidRequest(
    // A reader's message is a sentence of its own.
    `Invalid value for '${path}'. ${message}`,
    path,
    isTooLarge ? "media_too_large" : "invalid_media",
  );

const unread = ({ path }: MediaField) =>
  new ApiError(
    503,
    "service_unavailable_error",
    "No worker could read a medium of this request. Try again in a few seconds; /health shows the workers' state.",
    { param: path, code: "media_not_read", headers: { "retry-after": "2" } },
  );
