import { aac } from "./audio/aac.ts";
import { aiff } from "./audio/aiff.ts";
import { au } from "./audio/au.ts";
import { flac } from "./audio/flac.ts";
import { mp3 } from "./audio/mp3.ts";
import { ogg } from "./audio/ogg.ts";
import { wav } from "./audio/wav.ts";
import { HeaderBytes, HeadersEnd, type MediaBytes } from "./bytes.ts";
import { isPdf } from "./document/pdf.ts";
import { broken, HEAD, Head, type MediaFormat } from "./format.ts";
import { bmp } from "./image/bmp.ts";
import { gif } from "./image/gif.ts";
import { avif, heic } from "./image/heif.ts";
import { jpeg } from "./image/jpeg.ts";
import { png } from "./image/png.ts";
import { tiff } from "./image/tiff.ts";
import { webp } from "./image/webp.ts";
import type { MediaInfo } from "./info.ts";
import { avi } from "./video/avi.ts";
import { matroska } from "./video/matroska.ts";
import { movie } from "./video/movie/index.ts";

export type { MediaBytes } from "./bytes.ts";
export type {
  AudioInfo,
  BrokenMedia,
  DocumentInfo,
  ImageInfo,
  MediaInfo,
  PcmLayout,
  VideoInfo,
} from "./info.ts";

/** In the order in which they are tried: those with weak signatures last. */
const FORMATS: readonly MediaFormat[] = [
  png,
  jpeg,
  gif,
  webp,
  wav,
  avi,
  avif,
  heic,
  movie,
  matroska,
  ogg,
  flac,
  aiff,
  au,
  tiff,
  bmp,
  mp3,
  aac,
];

/**
 * Tells what a medium is from its headers; nothing is decoded. Reads at most 256 times and 1 MiB.
 * @returns undefined if the bytes do not tell
 *
 * @example
 * const info = inspectMedia({ size: file.length, read: (from, length) => file.subarray(from, from + length) });
 * if (info?.kind === "image") console.log(info.width, info.height);
 */
export function inspectMedia(source: MediaBytes): MediaInfo | undefined {
  const bytes = new HeaderBytes(source);
  const head = new Head(bytes.start(HEAD));
  for (const format of FORMATS) {
    if (!format.matches(head)) continue;
    const info = readOrBroken(format, bytes);
    if (info !== undefined) return plausible(info);
  }
  return isPdf(head) ? { kind: "document", format: "pdf" } : undefined;
}

function readOrBroken(format: MediaFormat, bytes: HeaderBytes): MediaInfo | undefined {
  try {
    return format.read(bytes);
  } catch (error) {
    if (error instanceof HeadersEnd) return broken(format, "incomplete");
    throw error;
  }
}

/** Without numbers that cannot be: headers may hold any float. */
function plausible(info: MediaInfo): MediaInfo {
  if (info.kind === "audio")
    return {
      ...info,
      seconds: known(info.seconds),
      sampleRate: known(info.sampleRate),
      channels: known(info.channels),
    };
  if (info.kind === "video")
    return { ...info, seconds: known(info.seconds), framesPerSecond: known(info.framesPerSecond) };
  return info;
}

function known(value: number | undefined): number | undefined {
  return value !== undefined && Number.isFinite(value) && value > 0 ? value : undefined;
}
