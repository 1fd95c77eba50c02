import { invalidRequest } from "../kernel/errors.ts";
import { isRecord } from "../kernel/json.ts";

export type MediaKind = "image" | "audio" | "video" | "document";

/** One step into a JSON value. */
export type Step = string | number;

/** A medium in a request's body, of whatever API. */
export interface MediaField {
  /** The field of the content part, for errors: `messages[1].content[0].image_url`. */
  readonly path: string;
  /** Where the address is, or the data: the field itself, or `url` or `data` in it. */
  readonly steps: readonly Step[];
  /** Where the content part is. */
  readonly partSteps: readonly Step[];
  readonly part: Readonly<Record<string, unknown>>;
  /** What the field's name promises; undefined if it may be anything. */
  readonly kind: MediaKind | undefined;
  /** A URL, or base64. */
  readonly text: string;
}

/** Fields of a content part that hold an address or data, or an object with one. */
const FIELDS: Readonly<Record<string, MediaKind | "any">> = {
  image_url: "image",
  input_image: "image",
  image: "image",
  images: "image",
  audio_url: "audio",
  input_audio: "audio",
  audio: "audio",
  video_url: "video",
  video: "video",
  file_url: "any",
  file_data: "any",
  file: "any",
  source: "any",
};

/** Where an object has its address or data. */
const INNER = ["url", "data", "file_data", "file_url"];

/** Top-level fields that never hold media. */
const NO_MEDIA = new Set([
  "tools",
  "functions",
  "response_format",
  "metadata",
  "stator",
  "text",
  "logit_bias",
]);

/** Tensors, which an engine would unpack: a way to stop it, or to plant what others get from its cache. */
const EMBEDDINGS = /^(?:(?:image|audio|video|prompt)_embeds|image_pil)$/;

/** How deep a body is searched. */
const MAX_DEPTH = 12;

/**
 * All media in a body, in its order.
 * @throws ApiError 400 for a part that engines could read in two ways, without data, or with embeddings in place of a medium
 */
export function mediaFieldsOf(body: Readonly<Record<string, unknown>>): MediaField[] {
  const found: MediaField[] = [];
  for (const [name, value] of Object.entries(body)) {
    if (EMBEDDINGS.test(name) && value !== null) throw embeddingsRefused(name);
  }
  const rest = Object.fromEntries(Object.entries(body).filter(([name]) => !NO_MEDIA.has(name)));
  walk(rest, [], 0, found);
  return found;
}

function walk(value: unknown, steps: readonly Step[], depth: number, all: MediaField[]): void {
  if (typeof value !== "object" || value === null || depth > MAX_DEPTH) return;
  if (Array.isArray(value)) {
    value.forEach((item, index) => {
      // Skips token ids cheaply.
      if (typeof item === "object") walk(item, [...steps, index], depth + 1, all);
    });
    return;
  }
  let first: string | undefined;
  let nameless: readonly Step[] | undefined;
  for (const [name, inner] of Object.entries(value)) {
    const at = [...steps, name];
    if (depth > 0 && EMBEDDINGS.test(name)) throw embeddingsRefused(pathOf(at));
    const promised = FIELDS[name];
    const found = promised === undefined ? [] : addressesIn(inner, at, name);
    // Elsewhere than in content parts, a field of that name may have a name or an id.
    const own = isPart(value) ? found : found.filter(({ text }) => !NAME.test(text));
    if (own.length > 0) {
      if (first !== undefined) throw ambiguous(pathOf(steps), first, name);
      first = name;
    } else if (isPartWithout(value, name, inner)) throw dataMissing(pathOf(at));
    else if (name in FIELDS && "uuid" in value) nameless ??= at;
    for (const { steps: place, text } of own)
      all.push({
        path: pathOf(at),
        steps: place,
        partSteps: steps,
        part: value as Record<string, unknown>,
        kind: promised === "any" ? kindOf(value as Record<string, unknown>) : promised,
        text,
      });
    // An object whose address is its own has no parts in it.
    if (own.length === 0) walk(inner, at, depth + 1, all);
  }
  // Their data may be in a field of any name.
  if (depth > 0 && EMBEDDINGS.test(String(Reflect.get(value, "type"))))
    throw embeddingsRefused(pathOf([...steps, "type"]));
  if (nameless !== undefined && first === undefined) throw dataMissing(pathOf(nameless));
}

const isPart = (value: object) => typeof Reflect.get(value, "type") === "string";

/** What is neither an address nor a path, and too short for a medium. */
const NAME = /^[\w-]{1,60}$/;

interface Address {
  readonly steps: readonly Step[];
  readonly text: string;
}

function addressesIn(value: unknown, steps: readonly Step[], name: string): Address[] {
  if (Array.isArray(value))
    return value.flatMap((item, index) =>
      typeof item === "string" || isRecord(item) ? addressesIn(item, [...steps, index], name) : [],
    );
  // A document's source need not be an address, nor what a field of that name means elsewhere.
  if (typeof value === "string") {
    const isMedium = name !== "source" && name !== "file" ? value !== "" : SCHEME.test(value);
    return isMedium ? [{ steps, text: value }] : [];
  }
  if (!isRecord(value) || value.type === "text" || value.type === "content") return [];
  return INNER.flatMap((key) => {
    const text = value[key];
    return typeof text === "string" ? [{ steps: [...steps, key], text }] : [];
  });
}

/** Whether a content part names a medium by its type, and has none: vLLM would take it from its cache by its `uuid`. */
function isPartWithout(part: object, name: string, value: unknown): boolean {
  const type: unknown = Reflect.get(part, "type");
  return (value === null || value === "") && (type === name || Reflect.has(part, "uuid")) && name in FIELDS;
}

/** Of a field whose name does not tell. */
function kindOf({ type }: Readonly<Record<string, unknown>>): MediaKind | undefined {
  if (type === "image" || type === "audio" || type === "video" || type === "document") return type;
  return type === "file" || type === "input_file" ? "document" : undefined;
}

/** `messages[1].content[0]`. */
function pathOf(steps: readonly Step[]): string {
  return steps
    .map((step, index) => {
      if (typeof step === "number") return `[${step}]`;
      return index === 0 ? step.slice(0, 100) : `.${step.slice(0, 100)}`;
    })
    .join("");
}

export const SCHEME = /^\s*[a-z][a-z\d+.-]*:/i;

/** A part without its medium. @param path of the field where the medium should be */
export const dataMissing = (path: string) =>
  invalidRequest(
    `Invalid value for '${path}': it has no data. Media are not kept between requests, so send the medium with each, as data:… or as a URL.`,
    path,
  );

/** A part that names a file of OpenAI's or Anthropic's Files API. @param advice how to send it instead, as a clause */
export const filesRefused = (path: string, advice: string) =>
  invalidRequest(
    `Invalid value for '${path}': there are no uploaded files here. Send ${advice}, if the server's operator allows fetching.`,
    path,
    "unsupported_parameter",
  );

const embeddingsRefused = (path: string) =>
  invalidRequest(
    `Invalid value for '${path}': this gateway takes no embeddings from clients; send the medium itself.`,
    path,
    "unsupported_parameter",
  );

const ambiguous = (path: string, one: string, other: string) =>
  invalidRequest(
    `Invalid value for '${path}': it has both '${one}' and '${other}'; send one part for each medium.`,
    path,
  );
