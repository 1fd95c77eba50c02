import { invalidRequest } from "../kernel/errors.ts";
import type { ByteTools } from "./byte-tools.ts";
import { type EncodedMedium, isFrameList, MediumBytes } from "./content.ts";
import { tooLarge } from "./fetch.ts";
import type { MediaField } from "./fields.ts";
import { type BrokenMedia, inspectMedia, type MediaInfo } from "./inspect/index.ts";
import { Medium } from "./medium.ts";

export interface MediumLimits {
  /** Largest medium in bytes. */
  readonly maxBytes: number;
  /** Most pixels of one image. */
  readonly maxPixels: number;
}

/**
 * Checks what a medium is by its bytes, whatever its label says.
 * @throws ApiError 400 if it is too large, not what its field is for, or nothing that engines could decode
 */
export function checkMedium(
  { path, kind, part }: MediaField,
  encoded: EncodedMedium,
  { maxBytes, maxPixels }: MediumLimits,
  tools: ByteTools,
): Medium {
  const { size, type } = encoded;
  if (size === 0) throw invalidMedium(path, "it is empty");
  if (size > maxBytes) throw tooLarge(path, maxBytes);
  if (kind === "video" && isFrameList(type)) return new Medium(encoded, "video", undefined, tools);
  const info = inspectMedia(new MediumBytes(encoded, tools));
  if (info?.kind === "broken") throw invalidMedium(path, problemOf(info));
  if (kind === "document" && info?.kind !== "document" && info?.kind !== "image") {
    if (info !== undefined) throw invalidMedium(path, `it is no document, but ${nameOf(info)}`);
    if (isCalledPdf(type, part)) throw invalidMedium(path, "it is called a PDF, but is none");
    return new Medium(encoded, kind, undefined, tools);
  }
  if (info === undefined) throw invalidMedium(path, `it is not ${FORMATS[kind ?? "any"]}`);
  const isMeant = kind === undefined || kind === "document" || kind === info.kind || isAnimation(kind, info);
  if (!isMeant) throw invalidMedium(path, `it is not ${FORMATS[kind]}, but ${nameOf(info)}`);
  if ("width" in info && (info.width ?? 0) * (info.height ?? 0) > maxPixels)
    throw invalidRequest(
      `Invalid value for '${path}': it has ${info.width} × ${info.height} pixels; this server takes at most ${maxPixels}. Send a smaller one.`,
      path,
      "media_too_large",
    );
  return new Medium(encoded, kind === "video" ? kind : info.kind, info, tools);
}

/** @param why as a clause */
export const invalidMedium = (path: string, why: string) =>
  invalidRequest(`Invalid value for '${path}': ${why}.`, path, "invalid_media");

const FORMATS = {
  image: "an image (PNG, JPEG, GIF, WebP, BMP, TIFF, AVIF or HEIC)",
  audio: "audio (WAV, MP3, FLAC, Ogg, M4A, AAC, AIFF or WebM)",
  video: "a video (MP4, QuickTime, WebM, Matroska, AVI or GIF)",
  document: "a document",
  any: "an image, audio, a video or a PDF",
};

const nameOf = (info: Exclude<MediaInfo, BrokenMedia>) =>
  `${info.kind === "document" ? "a document" : info.kind === "audio" ? "audio" : `${info.kind === "image" ? "an" : "a"} ${info.kind}`} (${info.format.toUpperCase()})`;

function problemOf({ medium, format, problem }: BrokenMedia): string {
  const name = format.toUpperCase();
  if (problem === "empty") return `the ${name} has no ${medium === "audio" ? "samples" : "pixels"}`;
  return problem === "incomplete"
    ? `the ${name} is cut off, or its header is too long`
    : `the header of the ${name} is damaged`;
}

const isAnimation = (kind: string, info: MediaInfo) =>
  kind === "video" && info.kind === "image" && ["gif", "webp", "png"].includes(info.format);

function isCalledPdf(type: string, { file, filename, source }: MediaField["part"]): boolean {
  const inside = (object: unknown, field: string): unknown => Reflect.get(Object(object), field);
  const name = filename ?? inside(file, "filename");
  const label = type || inside(source, "media_type");
  return label === "application/pdf" || (!label && typeof name === "string" && /\.pdf$/i.test(name));
}
