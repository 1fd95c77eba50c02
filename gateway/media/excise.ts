import { joinBytes } from "../kernel/bytes.ts";
import type { ByteTools } from "./byte-tools.ts";

/** Strings of at least this many bytes are taken out; shorter ones cost little where they are. */
const SHORTEST = 1024;

/** The keys whose strings may be media: the last step of the path of every part in every API. */
const MEDIA_KEYS = new Set([
  "url",
  "data",
  "image_url",
  "audio_url",
  "video_url",
  "file_url",
  "file_data",
  "image",
  "images",
  "audio",
  "video",
  "input_audio",
  "input_image",
]);

/** A JSON body without its media, which stay where they were received. */
export interface LightBody {
  /** Valid JSON, if the whole body is: where media were, it has short stand-ins. */
  readonly bytes: Uint8Array;
  readonly media: MediaStrings;
}

/**
 * Takes the long media strings out of a JSON body, so that parsing it, changing it and comparing it with others costs
 * nothing for each megabyte of a picture. Nothing is copied but what is left.
 * @param body any bytes; what is no JSON stays as it is
 */
export function withoutMedia(body: Uint8Array, tools: ByteTools): LightBody {
  const media = new MediaStrings();
  if (body.length < SHORTEST) return { bytes: body, media };
  const pieces: Uint8Array[] = [];
  let copied = 0;
  let key: Span | undefined;
  for (const span of stringsOf(body, tools)) {
    const isLong = span.to - span.from >= SHORTEST;
    if (isLong && !span.isKey && key !== undefined && isMediaKey(body, key, span)) {
      const content = body.subarray(span.from, span.to);
      const plain = span.hasEscapes ? unescaped(content) : content;
      if (plain !== undefined) {
        pieces.push(body.subarray(copied, span.from), encoder.encode(media.add(plain)));
        copied = span.to;
      }
    }
    // In a list, all of its strings belong to the key before it.
    if (span.isKey) key = span;
  }
  if (pieces.length === 0) return { bytes: body, media };
  pieces.push(body.subarray(copied));
  return { bytes: joinBytes(pieces), media };
}

/** The media of one request, for which a light body has stand-ins. */
export class MediaStrings {
  readonly #contents: Uint8Array[] = [];

  get size(): number {
    return this.#contents.length;
  }

  /** @param content text without quotes, backslashes and control characters @returns its stand-in */
  add(content: Uint8Array): string {
    this.#contents.push(content);
    return `${marks().mark}${this.#contents.length - 1}.`;
  }

  /** The content of which a text is the stand-in; undefined for any other text. */
  get(text: string): Uint8Array | undefined {
    const [, index] = marks().whole.exec(text) ?? [];
    return index === undefined ? undefined : this.#contents[Number(index)];
  }

  /** Replaces what a stand-in stands for. */
  set(text: string, content: Uint8Array): void {
    const [, index] = marks().whole.exec(text) ?? [];
    if (index !== undefined) this.#contents[Number(index)] = content;
  }

  /** The pieces of the whole body, from one that has stand-ins; the media are not copied. */
  restore(light: Uint8Array): readonly Uint8Array[] {
    if (this.size === 0) return [light];
    const pieces: Uint8Array[] = [];
    // Each byte is one character, so that offsets stay true.
    const text = latin1.decode(light);
    let from = 0;
    for (const match of text.matchAll(marks().any)) {
      const content = this.#contents[Number(match[1])];
      if (content === undefined) continue;
      pieces.push(light.subarray(from, match.index), content);
      from = match.index + match[0].length;
    }
    pieces.push(light.subarray(from));
    return pieces;
  }
}

/** How stand-ins are written. */
interface Marks {
  readonly mark: string;
  readonly whole: RegExp;
  readonly any: RegExp;
}

let known: Marks | undefined;

/**
 * Every stand-in begins with what nobody outside this process can guess, so no client can write one. Drawn at the first
 * use: some runtimes have no random numbers before the first request.
 */
function marks(): Marks {
  if (known !== undefined) return known;
  const mark = `stator-media-${crypto.randomUUID()}-`;
  known = { mark, whole: new RegExp(`${mark}(\\d+)\\.$`), any: new RegExp(`${mark}(\\d+)\\.`, "g") };
  return known;
}

interface Span {
  /** Without the quotes. */
  readonly from: number;
  readonly to: number;
  readonly isKey: boolean;
  readonly hasEscapes: boolean;
}

const [QUOTE, BACKSLASH, COLON] = [0x22, 0x5c, 0x3a];

/** All strings in a JSON text. */
function* stringsOf(body: Uint8Array, { indexOf }: ByteTools): Generator<Span> {
  let at = indexOf(body, QUOTE, 0);
  while (at >= 0) {
    const from = at + 1;
    let to = indexOf(body, QUOTE, from);
    let hasEscapes = false;
    while (to >= 0 && isEscaped(body, to, from)) {
      hasEscapes = true;
      to = indexOf(body, QUOTE, to + 1);
    }
    if (to < 0) return;
    let after = to + 1;
    while (isBlank(body[after])) after++;
    const isLong = to - from >= SHORTEST;
    hasEscapes ||= isLong && hasBackslash(body, from, to, indexOf);
    yield { from, to, isKey: body[after] === COLON, hasEscapes };
    at = indexOf(body, QUOTE, to + 1);
  }
}

/** Whether an odd number of backslashes is before the byte. */
function isEscaped(body: Uint8Array, at: number, from: number): boolean {
  let start = at;
  while (start > from && body[start - 1] === BACKSLASH) start--;
  return (at - start) % 2 === 1;
}

function hasBackslash(body: Uint8Array, from: number, to: number, indexOf: ByteTools["indexOf"]): boolean {
  const at = indexOf(body.subarray(from, to), BACKSLASH, 0);
  return at >= 0;
}

const isBlank = (byte: number | undefined) =>
  byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

/** Longer keys are none of ours. */
const LONGEST_KEY = 16;

/** Whether a string's key says that it may be a medium, and nothing of it that it cannot be one. */
function isMediaKey(body: Uint8Array, key: Span, { from }: Span): boolean {
  if (key.hasEscapes || key.to - key.from > LONGEST_KEY) return false;
  if (!MEDIA_KEYS.has(latin1.decode(body.subarray(key.from, key.to)))) return false;
  return MEDIA_START.test(latin1.decode(body.subarray(from, from + START_BYTES)));
}

const START_BYTES = 64;
/** A data: URL, or base64 with nothing in front. */
const MEDIA_START = /^(?:data:|[\w+/=-]*$)/i;

/** A string without its escapes; undefined if it is invalid, or could not stand between quotes without them. */
function unescaped(content: Uint8Array): Uint8Array | undefined {
  try {
    const text: unknown = JSON.parse(`"${utf8.decode(content)}"`);
    if (typeof text !== "string") return undefined;
    // Line breaks in base64 mean nothing.
    const plain = text.replace(/[\r\n\t ]+/g, "");
    return /["\\\p{Cc}]/u.test(plain) ? undefined : encoder.encode(plain);
  } catch {
    return undefined;
  }
}

const encoder = new TextEncoder();
const utf8 = new TextDecoder();
const latin1 = new TextDecoder("latin1");
