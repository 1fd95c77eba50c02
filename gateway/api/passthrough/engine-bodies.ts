import { CACHE_FIELDS } from "../../engines/cache-salt.ts";
import { type StructuredOutput, structuredOutputOf, withOwnFields } from "../../engines/structured-output.ts";
import { isRecord } from "../../kernel/json.ts";
import { withFields } from "../../kernel/json-fields.ts";
import { withEdits } from "../../media/edit-json.ts";
import type { EngineMember, EngineTarget } from "../../models/members/engine-member.ts";
import type { PromptBody } from "../../prompts/prompt-reader.ts";
import type { WireJob } from "../../requests/wire/job.ts";
import type { MediaId } from "./media-ids.ts";

/** The parts of a request's body that engines of different kinds want in different fields. */
export interface OwnFields {
  readonly path: string;
  readonly structuredOutput: StructuredOutput | undefined;
  /** The salt that the gateway sets; undefined if clients may set their own. */
  readonly salt: string | undefined;
  /** The LoRA adapter that the request names as its model. */
  readonly lora: string | undefined;
  /** The ids of its media, for engines that take some. */
  readonly media: readonly MediaId[];
}

export const ownFieldsOf = (
  path: string,
  body: PromptBody | undefined,
  {
    salt,
    lora,
    media = [],
  }: { salt?: string | undefined; lora?: string | undefined; media?: readonly MediaId[] | undefined },
): OwnFields => ({
  path,
  salt,
  structuredOutput: body && structuredOutputOf(path, body),
  lora: body && lora,
  media,
});

/**
 * The body for each engine. Those for the present engines are made at once, so that the client learns at once what one
 * of them cannot do.
 * @throws ApiError 400
 */
export function bodiesFor(
  bytes: Uint8Array | undefined,
  own: OwnFields,
  members: readonly EngineMember[],
): WireJob["bodyFor"] {
  const { structuredOutput, salt, lora, media } = own;
  const changes = media.some(({ id, hasUuid }) => id !== undefined || hasUuid);
  if (bytes === undefined || ((structuredOutput ?? salt ?? lora) === undefined && !changes))
    return (_, continued) => continued ?? bytes;
  const made = new Map<string, Uint8Array>();
  const bodyFor = (engine: EngineTarget, continued?: Uint8Array) => {
    if (continued !== undefined) return withOwn(continued, own, engine);
    const kind = `${engine.adapter?.kind} ${engine.profile?.version}`;
    const body = made.get(kind) ?? withOwn(bytes, own, engine);
    made.set(kind, body);
    return body;
  };
  for (const { engine } of members) bodyFor(engine);
  return bodyFor;
}

function withOwn(
  bytes: Uint8Array,
  { path, structuredOutput, salt, lora, media }: OwnFields,
  { adapter, profile }: EngineTarget,
): Uint8Array {
  const version = profile?.version;
  const named = lora === undefined ? undefined : adapter?.loraFields?.(lora);
  const whole = named === undefined ? bytes : withFields(bytes, new Set(Object.keys(named)), named);
  const identified = withMediaIds(whole, media, adapter);
  const body =
    structuredOutput === undefined
      ? identified
      : withOwnFields(identified, structuredOutput, adapter, version);
  if (salt === undefined) return body;
  const fields = adapter?.saltFields?.(salt, { path, version }) ?? {};
  return withFields(body, new Set([...CACHE_FIELDS, ...Object.keys(fields)]), fields);
}

/** The body with our ids of its media, and none of the client's. */
function withMediaIds(
  body: Uint8Array,
  media: readonly MediaId[],
  adapter: EngineTarget["adapter"],
): Uint8Array {
  const edits = media.flatMap(({ steps, id, hasUuid }) => {
    const own = adapter?.kind === "vllm" ? id : undefined;
    if (own === undefined && !hasUuid) return [];
    return [{ steps, change: (part: unknown) => withUuid(part, own) }];
  });
  return edits.length === 0 ? body : withEdits(body, edits);
}

function withUuid(part: unknown, uuid: string | undefined): unknown {
  if (!isRecord(part)) return part;
  const { uuid: _, ...rest } = part;
  return uuid === undefined ? rest : { ...rest, uuid };
}
