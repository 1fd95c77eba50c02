import { hexOf } from "../../media/byte-tools.ts";
import { editedValue } from "../../media/edit-json.ts";
import { type MediaField, mediaFieldsOf, type Step } from "../../media/fields.ts";
import { type Medium, mediaTypeOf } from "../../media/medium.ts";
import type { RequestMedia } from "../../media/read-media.ts";
import type { EngineSide } from "../../models/model.ts";
import type { PromptMedia, PromptMedium } from "../../prompts/prompt-media.ts";
import type { PromptBody } from "../../prompts/prompt-reader.ts";
import type { EncodableMedium } from "../../requests/wire/job.ts";
import type { Prompt } from "../../routing/prompt.ts";
import { CHAT_PATH } from "../translation/translation.ts";

/** A content part with a medium, and the id that vLLM is told for it. */
export interface MediaId {
  readonly steps: readonly Step[];
  /** Undefined where the engine computes one itself. */
  readonly id: string | undefined;
  /** Whether the client has given it an id, which is removed. */
  readonly hasUuid: boolean;
}

export interface IdentifiedMedia {
  readonly ids: readonly MediaId[];
  /** The body for the prompt's reader: with names in place of the data. */
  readonly body: PromptBody;
  readonly prompt: PromptMedia;
  /** Those that encode engines can encode. */
  readonly encodable: readonly Omit<EncodableMedium, "tokens" | "end">[];
}

/** vLLM's `--model` of a model's engines; undefined without a vLLM among them. */
export function vllmModelOf(engines: EngineSide): string | undefined {
  const member = engines.members().find(({ engine }) => engine.adapter?.kind === "vllm");
  return member && (member.model.source ?? member.model.name);
}

/**
 * Decides by which ids engines know the media of a request. A client's own never count: with one of another picture, it
 * would get what that one's cache says, and so would everybody else.
 * @param options.salt what keeps the request's cached KV apart from that of others, if anything does
 */
export async function identifyMedia(
  body: PromptBody,
  media: RequestMedia,
  { path, salt, vllmModel }: { path: string; salt: string | undefined; vllmModel: string | undefined },
): Promise<IdentifiedMedia> {
  const fields = mediaFieldsOf(body);
  const ids: MediaId[] = [];
  const prompt = new Map<string, PromptMedium>();
  const encodable: Omit<EncodableMedium, "tokens" | "end">[] = [];
  let named: unknown = body;
  // Options for the engine's own processor are part of what it hashes.
  const isPlain = body.mm_processor_kwargs === undefined && body.media_io_kwargs === undefined;
  for (const field of fields) {
    const medium = media.find(field.text);
    const { id, isExact } = await identityOf(medium, { path, salt, vllmModel });
    const takesId = vllmModel !== undefined && path === CHAT_PATH;
    ids.push({ steps: field.partSteps, id: takesId ? id : undefined, hasUuid: "uuid" in field.part });
    if (medium === undefined || id === undefined) continue;
    const name = `media:${id}`;
    prompt.set(name, { medium, identity: id, isExact: isExact && isPlain });
    const { kind } = medium;
    if (kind !== "document")
      encodable.push({
        ...{ id, kind, steps: field.partSteps, part: partFor(kind, medium, field) },
        isKnown: isExact,
        takesId,
      });
    named = editedValue(named, field.steps, () => name);
  }
  return { ids, body: named as PromptBody, prompt, encodable };
}

/** The content part of a chat for an encoder, whatever API the request is of. */
function partFor(kind: "image" | "audio" | "video", medium: Medium, { steps, text }: MediaField) {
  const isBare = steps.at(-1) === "data";
  const type = `${kind}_url`;
  return { type, [type]: { url: isBare ? `data:${mediaTypeOf(medium)};base64,${text}` : text } };
}

/** The same with their places in the prompt. */
export function placedMedia(
  encodable: IdentifiedMedia["encodable"],
  { media, isExact }: Prompt,
): EncodableMedium[] {
  const left = [...media];
  return encodable.map((medium) => {
    const at = left.findIndex(({ identity }) => identity === medium.id);
    const [place] = at < 0 ? [] : left.splice(at, 1);
    const end = place && isExact ? place.offset + place.length : Number.POSITIVE_INFINITY;
    return { ...medium, tokens: place?.length ?? 1, end };
  });
}

interface Identity {
  readonly id: string | undefined;
  readonly isExact: boolean;
}

async function identityOf(
  medium: Medium | undefined,
  { path, salt, vllmModel }: { path: string; salt: string | undefined; vllmModel: string | undefined },
): Promise<Identity> {
  if (medium === undefined) return { id: undefined, isExact: false };
  const own = vllmModel === undefined ? undefined : await medium.vllmHash(vllmModel);
  // In the other APIs, parts cannot have an id, and vLLM uses its own hash.
  if (vllmModel !== undefined && path !== CHAT_PATH && own !== undefined) return { id: own, isExact: true };
  const digest = own ?? (await medium.digest());
  if (digest === undefined) return { id: undefined, isExact: false };
  const isExact = vllmModel !== undefined && path === CHAT_PATH;
  return { id: salt === undefined ? digest : await saltedId(salt, digest), isExact };
}

/** An id that nobody without the salt can name: SHA-256 of both, in hexadecimal digits. */
async function saltedId(salt: string, digest: string): Promise<string> {
  return hexOf(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(`${salt} ${digest}`)));
}
