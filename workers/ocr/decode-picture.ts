import { messageOf } from "#runtime";
import { CHANNELS, type Picture } from "./picture.ts";
import { PictureError } from "./picture-error.ts";
import type { Sharp } from "./sharp.ts";

/** A picture with more pixels is refused. Phones take up to 50 million; decoded they need three bytes each. */
const MOST_PIXELS = 64 * 2 ** 20;
/** That of JPEG. */
const LONGEST_SIDE = 65_535;
/** What is read has at most so many pixels; a larger picture is shrunk. An A4 page at 400 dpi has 15 million. */
const MOST_READ = 16 * 2 ** 20;
/** Longer ones are bombs: the largest honest pictures take two seconds. */
const MOST_SECONDS = 30;
const ADVICE = "Send a smaller picture.";

/** A picture as it is shown, and how much smaller it was made. */
export interface DecodedPicture extends Picture {
  /** Its pixels for each of the file's. */
  readonly scale: number;
}

/**
 * Decodes a picture, turns it as its EXIF data says, and lays it on white.
 * @throws PictureError if it is not a picture, damaged or too large
 */
export async function decodePicture(sharp: Sharp, file: Uint8Array): Promise<DecodedPicture> {
  const format = formatOf(file);
  if (format === undefined)
    throw new PictureError(
      "unsupported",
      "The file is not a picture of a supported format (PNG, JPEG, WebP, GIF, AVIF or TIFF).",
    );
  const open = () =>
    sharp(file, { limitInputPixels: MOST_PIXELS, failOn: "error" }).timeout({ seconds: MOST_SECONDS });
  try {
    const { width, height } = (await open().metadata()).autoOrient;
    if (Math.max(width, height) > LONGEST_SIDE)
      throw new PictureError(
        "too_large",
        `A side of the picture has more than ${LONGEST_SIDE} pixels. ${ADVICE}`,
      );
    const scale = Math.min(1, Math.sqrt(MOST_READ / (width * height)));
    const side = (length: number) => Math.max(1, Math.round(length * scale));
    let image = open().autoOrient();
    if (scale < 1) image = image.resize(side(width), side(height), { fit: "fill" });
    const { data, info } = await image
      .flatten({ background: "white" })
      .toColourspace("srgb")
      .raw()
      .toBuffer({ resolveWithObject: true });
    return { pixels: asRgb(data, info.channels), width: info.width, height: info.height, scale };
  } catch (cause) {
    throw cause instanceof PictureError ? cause : refusal(format, cause);
  }
}

/** Grey pictures stay grey. */
function asRgb(data: Uint8Array, channels: number): Uint8Array {
  if (channels === CHANNELS) return data;
  const count = data.length / channels;
  const pixels = new Uint8Array(count * CHANNELS);
  for (let at = 0; at < count; at++) pixels.fill(data[at * channels]!, at * CHANNELS, (at + 1) * CHANNELS);
  return pixels;
}

function refusal(format: string, cause: unknown): PictureError {
  const message = messageOf(cause);
  if (/exceeds pixel limit/i.test(message))
    return new PictureError("too_large", `The picture has more than ${MOST_PIXELS} pixels. ${ADVICE}`, {
      cause,
    });
  if (/timeout/i.test(message))
    return new PictureError("too_large", `The picture takes too long to decode. ${ADVICE}`, { cause });
  // The decoder's own words may name its files, and are of no help.
  return new PictureError("damaged", `The picture is not valid ${format}, or is cut off.`, { cause });
}

/**
 * The formats that sharp decodes from their first bytes alone. Others that it knows, such as SVG, are not for files of strangers.
 * Magic numbers: https://en.wikipedia.org/wiki/List_of_file_signatures; brands of AVIF: https://aomediacodec.github.io/av1-avif/
 */
function formatOf(file: Uint8Array): string | undefined {
  const text = String.fromCharCode(...file.subarray(0, 12));
  if (text.startsWith("\x89PNG\r\n\x1a\n")) return "PNG";
  if (text.startsWith("\xff\xd8\xff")) return "JPEG";
  if (text.startsWith("RIFF") && text.slice(8) === "WEBP") return "WebP";
  if (text.startsWith("GIF8")) return "GIF";
  if (text.startsWith("II*\0") || text.startsWith("MM\0*")) return "TIFF";
  return ["ftypavif", "ftypavis"].includes(text.slice(4)) ? "AVIF" : undefined;
}
