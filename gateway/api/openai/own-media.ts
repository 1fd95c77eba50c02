import type { Context } from "hono";
import { mediaKinds, type PromptMedium } from "#runtime";
import type { GatewayEnv } from "../../access/env.ts";
import { ApiError } from "../../kernel/errors.ts";
import { isRecord } from "../../kernel/json.ts";
import type { MediaField } from "../../media/fields.ts";
import { type Medium, mediaTypeOf } from "../../media/medium.ts";
import { NO_MEDIA, RequestMedia, readWholeMedia } from "../../media/read-media.ts";
import type { WorkerSide } from "../../models/model.ts";
import type { JobMedium } from "../../requests/tokens/job.ts";
import { exactPrompt, type PlacedMedia, type Prompt } from "../../routing/prompt.ts";
import type { GatewayDependencies } from "../dependencies.ts";
import { replaceByReadings } from "./media-readings.ts";

export type PromptKinds = NonNullable<WorkerSide["card"]["media"]>;

/**
 * The kinds of media that the workers of the model that a body names, or of the only one, take: all if there is no such
 * model, as that is what is wrong with the request, and none if it has no workers.
 */
export function kindsTaken({ models }: GatewayDependencies, raw: unknown): PromptKinds {
  const name: unknown = isRecord(raw) ? raw.model : undefined;
  const found = (typeof name === "string" ? models.find(name) : models.only)?.model;
  if (found === undefined) return [...mediaKinds];
  return found.workers === undefined ? [] : kindsOf(models, found.workers);
}

/** Those of a model, or without any those that readers turn into text for it. */
function kindsOf(models: GatewayDependencies["models"], { card }: WorkerSide): PromptKinds {
  return card.media ?? [...models.readKinds(performance.now())];
}

/**
 * Reads, checks and fetches the media of a request that workers answer. A model without media of its own gets what readers
 * read in them.
 * @param body what has the conversation, with whole media
 * @throws ApiError 400 with the path of a medium that is faulty, or of a kind that the model does not take
 */
export async function readOwnMedia(
  context: Context<GatewayEnv>,
  dependencies: GatewayDependencies,
  model: WorkerSide,
  body: Readonly<Record<string, unknown>>,
): Promise<RequestMedia> {
  const { access, models } = dependencies;
  const kinds = kindsOf(models, model);
  if (kinds.length === 0) return NO_MEDIA;
  const { cacheSalt: owner = "" } = context.var;
  const media = new RequestMedia();
  const fields = await readWholeMedia(body, access.media, owner);
  for (const { field, medium } of fields) {
    requireKind(medium, field, kinds);
    media.add(field.text, medium, field.path);
  }
  if (model.card.media === undefined && fields.length > 0)
    await replaceByReadings(context, dependencies, model, media, fields);
  return media;
}

/** Workers get files; a list of a video's frames is none. */
function requireKind({ kind, info }: Medium, { path }: MediaField, kinds: PromptKinds): void {
  if (info !== undefined && kinds.some((each) => each === kind)) return;
  const text = `Invalid value for '${path}': this model's workers take ${kinds.join(" and ")}, but it is ${kind}${info === undefined ? " in a form of vLLM" : ""}.`;
  throw new ApiError(400, "invalid_request_error", text, { param: path, code: "unsupported_parameter" });
}

interface OwnMedium extends PromptMedium {
  readonly identity: string;
  /** Where it is in the request. */
  readonly path: string | undefined;
}

/** A prompt with media, as workers get it: nothing in it stands for them. */
export interface OwnPromptMedia {
  readonly tokens: Uint32Array;
  readonly media: readonly OwnMedium[];
  /** The field of the request that has the conversation. */
  readonly param: string;
  /** The same as the router compares it with others. */
  readonly prompt: Prompt;
}

/**
 * What a medium counts for until a worker says how many tokens it became. Encoders differ: from some dozens to some
 * thousands. The number never changes, not even once a worker has said it: what follows a medium would move to other
 * blocks, and no longer be found where this gateway, or one from which it took over the index, has sent it.
 */
const USUAL_TOKENS = 256;

/**
 * @param positions how many of the tokens precede each medium
 * @param param the field of the request that has the conversation
 */
export async function ownPrompt(
  tokens: Uint32Array,
  media: readonly (readonly [medium: Medium, path: string | undefined])[],
  positions: readonly number[],
  param: string,
): Promise<OwnPromptMedia> {
  const all = new Uint32Array(tokens.length + media.length * USUAL_TOKENS);
  const placed: PlacedMedia[] = [];
  const own: OwnMedium[] = [];
  let from = 0;
  for (const [index, [medium, path]] of media.entries()) {
    const position = positions[index]!;
    all.set(tokens.subarray(from, position), from + index * USUAL_TOKENS);
    from = position;
    const identity = (await medium.digest()) ?? "";
    placed.push({ identity, offset: position + index * USUAL_TOKENS, length: USUAL_TOKENS });
    const kind = mediaKinds.find((each) => each === medium.kind);
    if (kind !== undefined)
      own.push({ kind, type: mediaTypeOf(medium), position, data: medium.bytes(), identity, path });
  }
  all.set(tokens.subarray(from), from + media.length * USUAL_TOKENS);
  // How many tokens the worker makes of a medium is not known, so these only serve to compare requests.
  return { tokens, media: own, param, prompt: { ...exactPrompt(all), media: placed, isExact: false } };
}

/** Media with ids that only requests of one cache namespace have in common. */
export const identified = (media: OwnPromptMedia["media"], namespace = ""): JobMedium[] =>
  media.map(({ identity, ...medium }) => ({ ...medium, id: `${namespace} ${identity}` }));
