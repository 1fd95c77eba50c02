import { CHANNELS, type Picture } from "./picture.ts";

/**
 * A strip as PP-OCR's line networks take it: planes of blue, green and red from -1 to 1, and zeros up to a width.
 * @param width of the result; what is wider is cut off
 */
export function stripInput({ pixels, width: from, height }: Picture, width: number): Float32Array {
  const input = new Float32Array(CHANNELS * height * width);
  for (let plane = 0; plane < CHANNELS; plane++)
    for (let y = 0; y < height; y++)
      for (let x = 0; x < Math.min(from, width); x++)
        input[(plane * height + y) * width + x] =
          pixels[(y * from + x) * CHANNELS + CHANNELS - 1 - plane]! / 127.5 - 1;
  return input;
}

/** Columns `start` to `end` of a strip. */
export function columnsOf({ pixels, width, height }: Picture, start: number, end: number): Picture {
  const part = new Uint8Array((end - start) * height * CHANNELS);
  for (let y = 0; y < height; y++)
    part.set(
      pixels.subarray((y * width + start) * CHANNELS, (y * width + end) * CHANNELS),
      y * (end - start) * CHANNELS,
    );
  return { pixels: part, width: end - start, height };
}

/**
 * Cuts a strip that is wider than a network takes, each time in the middle of the widest gap between words in the last quarter
 * of a part.
 */
export function splitStrip(strip: Picture, widest: number): Picture[] {
  const parts: Picture[] = [];
  let start = 0;
  while (strip.width - start > widest) {
    const end = gapIn(strip, start + Math.floor(widest * 0.75), start + widest);
    parts.push(columnsOf(strip, start, end));
    start = end;
  }
  return [...parts, columnsOf(strip, start, strip.width)];
}

/** Columns whose brightness differs by so little are blank; of 255. */
const BLANK_CONTRAST = 48;

/** The middle of the longest run of blank columns; the end if there are none. */
function gapIn(strip: Picture, from: number, to: number): number {
  let [middle, longest, run] = [to, 0, 0];
  for (let x = from; x < to; x++) {
    run = contrastOf(strip, x) < BLANK_CONTRAST ? run + 1 : 0;
    if (run > longest) [middle, longest] = [x - Math.floor(run / 2), run];
  }
  return middle;
}

function contrastOf({ pixels, width, height }: Picture, x: number): number {
  let [darkest, brightest] = [255, 0];
  for (let y = 0; y < height; y++) {
    const green = pixels[(y * width + x) * CHANNELS + 1]!;
    darkest = Math.min(darkest, green);
    brightest = Math.max(brightest, green);
  }
  return brightest - darkest;
}
