import { joinBytes } from "../kernel/bytes.ts";
import { invalidRequest } from "../kernel/errors.ts";
import { isRecord } from "../kernel/json.ts";
import type { ByteTools } from "./byte-tools.ts";
import { checkMedium, invalidMedium, type MediumLimits } from "./check-medium.ts";
import { encoded as encodedAs, isFrameList, mayBePlain, normalized, readEncoded } from "./content.ts";
import { type JsonEdit, withEdits } from "./edit-json.ts";
import type { LightBody, MediaStrings } from "./excise.ts";
import type { MediaFetcher } from "./fetch.ts";
import { type MediaField, mediaFieldsOf, SCHEME } from "./fields.ts";
import { type Medium, mediaTypeOf } from "./medium.ts";

/** What media a client may send. */
export interface MediaRules extends MediumLimits {
  /** Undefined if URLs are refused. */
  readonly fetcher: MediaFetcher | undefined;
  /** Most media in one request. */
  readonly maxCount: number;
  readonly tools: ByteTools;
}

export interface ReadMediaOptions {
  /** Whose requests share what was fetched. */
  readonly owner: string;
  /** As given to vLLM with `--model`, if the request will go there. */
  readonly vllmModel: string | undefined;
}

type Body = Readonly<Record<string, unknown>>;

/** A request after its media were checked. */
export interface CheckedRequest {
  readonly light: LightBody;
  /** The parsed light body. */
  readonly body: Body;
  readonly media: RequestMedia;
}

/** The media of a request, by what stands for them in its body. */
export class RequestMedia {
  readonly #byText = new Map<string, Medium>();
  readonly #readings = new Map<Medium, string>();
  readonly #paths = new Map<Medium, string>();

  get size(): number {
    return this.#byText.size;
  }

  /** @param path of its field in the request */
  add(text: string, medium: Medium, path?: string): void {
    this.#byText.set(text, medium);
    if (path !== undefined) this.#paths.set(medium, path);
  }

  /** Where a medium is in the request; undefined if that is not known. */
  pathOf(medium: Medium): string | undefined {
    return this.#paths.get(medium);
  }

  /** @param reading text that a model gets in place of the medium */
  replace(medium: Medium, reading: string): void {
    this.#readings.set(medium, reading);
  }

  /** Text that a model gets in place of a medium; undefined if it gets the medium itself. */
  readingOf(medium: Medium): string | undefined {
    return this.#readings.get(medium);
  }

  /** @param text of a media field; after translation to another API, the data may be in a data: URL */
  find(text: string): Medium | undefined {
    return this.#byText.get(text) ?? this.#byText.get(text.replace(/^data:[^,]*,/, ""));
  }
}

export const NO_MEDIA = new RequestMedia();

/**
 * Reads and checks the media in a request for engines, and fetches those that are only named.
 * @returns the request with the media's data in place of their URLs
 * @throws ApiError 400 with the path of the first field that may not be passed on
 */
export async function readMedia(
  light: LightBody,
  body: Body,
  rules: MediaRules,
  { owner, vllmModel }: ReadMediaOptions,
): Promise<CheckedRequest> {
  const fields = mediaFieldsOf(body);
  if (fields.length === 0) return { light, body, media: NO_MEDIA };
  const media = new RequestMedia();
  const edits: JsonEdit[] = [];
  for (const { field, medium, base64, respelled } of await readFields(fields, light.media, rules, {
    owner,
    vllmModel,
  })) {
    if (base64 !== undefined) edits.push(fetched(field, medium, base64, light.media, media));
    else if (respelled === undefined) media.add(field.text, medium);
    else {
      const standIn = light.media.add(respelled);
      media.add(standIn, medium);
      edits.push({ steps: field.steps, change: () => standIn });
    }
  }
  if (edits.length === 0) return { light, body, media };
  const bytes = withEdits(light.bytes, edits);
  return {
    light: { bytes, media: light.media },
    body: JSON.parse(new TextDecoder().decode(bytes)),
    media,
  };
}

/**
 * Reads and checks the media in a whole body, and fetches those that are only named.
 * @param owner whose requests share what was fetched
 * @throws ApiError 400 with the path of the first faulty field
 */
export const readWholeMedia = (
  body: Body,
  rules: MediaRules,
  owner: string,
): Promise<{ readonly field: MediaField; readonly medium: Medium }[]> =>
  readFields(mediaFieldsOf(body), NO_STRINGS, rules, { owner, vllmModel: undefined });

const NO_STRINGS: Pick<MediaStrings, "get"> = { get: () => undefined };

/** Reads all media of a request. */
async function readFields(
  fields: readonly MediaField[],
  strings: Pick<MediaStrings, "get">,
  rules: MediaRules,
  { owner, vllmModel }: ReadMediaOptions,
): Promise<(ReadField & { readonly field: MediaField })[]> {
  if (fields.length > rules.maxCount)
    throw invalidRequest(
      `The request has ${fields.length} media; this server takes at most ${rules.maxCount} in one request. Send fewer.`,
      fields[rules.maxCount]!.path,
      "too_many_media",
    );
  // All addresses are judged before the first is fetched.
  for (const field of fields) if (isUrl(field.text)) requireFetching(field, rules);
  const read = fields.map(async (field): Promise<ReadField & { readonly field: MediaField }> => {
    const { path, text } = field;
    if (!isUrl(text)) return { field, ...(await readField(field, strings, rules, vllmModel)) };
    const base64 = await rules.fetcher!.fetch(text, path, owner);
    const medium = checkMedium(field, encodedAs("", base64), rules, rules.tools);
    return { field, medium, base64 };
  });
  // The first faulty part is reported, whichever is read first.
  for (const outcome of await Promise.allSettled(read))
    if (outcome.status === "rejected") throw outcome.reason;
  return Promise.all(read);
}

const isUrl = (text: string) => SCHEME.test(text) && !/^\s*data:/i.test(text);

/** @throws ApiError 400 if this gateway fetches nothing */
function requireFetching({ path, text }: MediaField, { fetcher }: MediaRules): void {
  if (fetcher === undefined) throw urlsRefused(path);
  fetcher.check(text, path);
}

const urlsRefused = (path: string) =>
  invalidRequest(
    `Invalid value for '${path}': this server fetches no media from URLs; send the data itself as base64 (in OpenAI's APIs, as data:…), or ask the server's operator to allow fetching.`,
    path,
    "media_url_not_allowed",
  );

interface ReadField {
  readonly medium: Medium;
  /** What was fetched. */
  readonly base64?: Uint8Array;
  /** The data as engines expect it, if the client spells it in another way. */
  readonly respelled?: Uint8Array;
}

/** Reads data in the request itself. */
async function readField(
  field: MediaField,
  strings: Pick<MediaStrings, "get">,
  rules: MediaRules,
  model: string | undefined,
): Promise<ReadField> {
  const { path, text } = field;
  const content = strings.get(text) ?? encoder.encode(text);
  const encoded = readEncoded(content);
  if (encoded === undefined) throw invalidMedium(path, "its data: URL is not in base64");
  if (isFrameList(encoded.type) || mayBePlain(encoded.base64)) {
    const medium = checkMedium(field, encoded, rules, rules.tools);
    if (await medium.isValid(model)) {
      // Some clients send only the base64 of what engines want as a URL.
      const isBare = encoded.base64.length === content.length && mustBeUrl(field);
      return isBare ? { medium, respelled: dataUrlOf(medium, encoded.base64) } : { medium };
    }
  }
  // Some clients break lines, leave the padding out, or write the alphabet that is meant for URLs.
  const base64 = normalized(encoded.base64);
  if (base64 === undefined) throw invalidMedium(path, "its data is not valid base64");
  const medium = checkMedium(field, encodedAs(encoded.type, base64), rules, rules.tools);
  if (!(await medium.isValid(model))) throw invalidMedium(path, "its data is not valid base64");
  const respelled = mustBeUrl(field)
    ? dataUrlOf(medium, base64)
    : withBase64(content, encoded.base64, base64);
  return { medium, respelled };
}

/** Puts what was fetched in the place of its address. */
function fetched(
  { steps, partSteps }: MediaField,
  medium: Medium,
  base64: Uint8Array,
  strings: MediaStrings,
  media: RequestMedia,
): JsonEdit {
  const type = mediaTypeOf(medium);
  const [field, inner] = steps.slice(partSteps.length);
  const own = (content: Uint8Array) => {
    const standIn = strings.add(content);
    media.add(standIn, medium);
    return standIn;
  };
  // Anthropic's sources have the data without the head of a URL.
  if (field === "source" && inner !== undefined) {
    const data = own(base64);
    return { steps: [...partSteps, field], change: () => ({ type: "base64", media_type: type, data }) };
  }
  const url = own(dataUrlOf(medium, base64));
  const name = steps.at(-1);
  if (name !== "file_url") return { steps, change: () => url };
  return {
    steps: steps.slice(0, -1),
    change: (object) => {
      const { file_url: _, ...rest } = isRecord(object) ? object : {};
      return { ...rest, file_data: url };
    },
  };
}

/** Whether the field's text must be a URL; in `data`, it may be base64 alone. */
const mustBeUrl = ({ steps, partSteps }: MediaField) =>
  steps.slice(partSteps.length).some((step) => step === "url" || /_url$/.test(String(step)));

const dataUrlOf = (medium: Medium, base64: Uint8Array) =>
  joinBytes([encoder.encode(`data:${mediaTypeOf(medium)};base64,`), base64]);

/** The content with other base64 at its end. */
const withBase64 = (content: Uint8Array, before: Uint8Array, base64: Uint8Array) =>
  joinBytes([content.subarray(0, content.length - before.length), base64]);

const encoder = new TextEncoder();
