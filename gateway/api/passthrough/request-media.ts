import type { Context } from "hono";
import { parseJson } from "../../access/body.ts";
import type { GatewayEnv } from "../../access/env.ts";
import { joinBytes } from "../../kernel/bytes.ts";
import { isRecord } from "../../kernel/json.ts";
import { type LightBody, MediaStrings, withoutMedia } from "../../media/excise.ts";
import { NO_MEDIA, readMedia } from "../../media/read-media.ts";
import type { EngineSide } from "../../models/model.ts";
import type { GatewayDependencies } from "../dependencies.ts";
import type { Translation } from "../translation/translation.ts";
import type { EngineRequest } from "./forward.ts";
import { vllmModelOf } from "./media-ids.ts";

/** The parsed body with its media. @param json the light body, parsed */
const wholeJson = ({ bytes, media }: LightBody, json: unknown): unknown =>
  media.size === 0 ? json : parseJson(joinBytes(media.restore(bytes)));

/** A request without media, or whose media do not matter. */
export const plainRequest = ({ bytes, media }: LightBody, json: unknown): EngineRequest => ({
  bytes,
  body: isRecord(json) ? json : undefined,
  form: undefined,
  strings: media,
  media: NO_MEDIA,
});

/**
 * Reads, checks and fetches the media of a request for attached engines.
 * @throws ApiError 400 with the path of a part that may not be passed on
 */
export async function withMedia(
  context: Context<GatewayEnv>,
  { access }: GatewayDependencies,
  request: EngineRequest,
  engines: EngineSide,
): Promise<EngineRequest> {
  const { bytes, body, strings } = request;
  if (bytes === undefined || body === undefined || strings === undefined) return request;
  const { cacheSalt: owner = "" } = context.var;
  const light = { bytes, media: strings };
  const read = await readMedia(light, body, access.media, { owner, vllmModel: vllmModelOf(engines) });
  return { ...request, bytes: read.light.bytes, body: read.body, media: read.media };
}

/** A request as the engines get it after its translation. */
export async function translatedRequest(
  context: Context<GatewayEnv>,
  dependencies: GatewayDependencies,
  translation: Translation,
  engines: EngineSide,
): Promise<EngineRequest> {
  const bytes = new TextEncoder().encode(JSON.stringify(translation.chat));
  const light = withoutMedia(bytes, dependencies.access.media.tools);
  const json = light.media.size === 0 ? translation.chat : parseJson(light.bytes);
  return { ...(await withMedia(context, dependencies, plainRequest(light, json), engines)), translation };
}

/** The request as it was received, with what was fetched for it. */
export const wholeRequest = ({ bytes, body, strings = new MediaStrings() }: EngineRequest): unknown =>
  bytes === undefined ? body : wholeJson({ bytes, media: strings }, body);
