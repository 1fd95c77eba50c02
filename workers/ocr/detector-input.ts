import { CHANNELS, type Picture } from "./picture.ts";

/** Pixels of margin on each side: the detector misses text that touches the edge. */
const MARGIN = 32;
/** Sides are multiples of this, as the network halves them five times. */
const STEP = 32;
/** The longest side of a tile: that of a picture seen at once, with its margins. */
const LONGEST_TILE = 1600;
/** What a tile sees of its neighbours: the network judges a pixel by what is around it. */
const OVERLAP = 64;
/** Mean and deviation of the training pictures' blue, green and red, 0 to 1, as PaddleOCR gives them. */
const MEAN = [0.485, 0.456, 0.406] as const;
const DEVIATION = [0.229, 0.224, 0.225] as const;

/** What the detector sees at once, in pixels of the picture with its margins. */
export interface Tile {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  /** The part of it that no other tile has; `right` and `bottom` are outside. */
  readonly core: {
    readonly left: number;
    readonly top: number;
    readonly right: number;
    readonly bottom: number;
  };
}

/** A picture with its margins, in tiles along its longer side. */
export interface Tiles {
  readonly tiles: readonly Tile[];
  /** Of the left and the upper side. */
  readonly margin: number;
  readonly width: number;
  readonly height: number;
}

export function tilesOf(picture: Picture): Tiles {
  const [width, height] = [padded(picture.width), padded(picture.height)];
  const isWide = width > height;
  const tiles = spans(Math.max(width, height)).map(({ start, length, from, to }) =>
    isWide
      ? {
          left: start,
          top: 0,
          width: length,
          height,
          core: { left: from, top: 0, right: to, bottom: height },
        }
      : {
          left: 0,
          top: start,
          width,
          height: length,
          core: { left: 0, top: from, right: width, bottom: to },
        },
  );
  return { tiles, margin: MARGIN, width, height };
}

const padded = (length: number) => Math.ceil((length + 2 * MARGIN) / STEP) * STEP;

interface Span {
  readonly start: number;
  readonly length: number;
  readonly from: number;
  readonly to: number;
}

/** Divides a length, a multiple of `STEP`, into spans that overlap; each counts from the middle of one overlap to the next. */
function spans(total: number): Span[] {
  const result: Span[] = [];
  for (let start = 0; ; start += LONGEST_TILE - 2 * OVERLAP) {
    const isLast = start + LONGEST_TILE >= total;
    const end = isLast ? total : start + LONGEST_TILE;
    const from = start === 0 ? 0 : start + OVERLAP;
    result.push({ start, length: end - start, from, to: isLast ? end : end - OVERLAP });
    if (isLast) return result;
  }
}

/** The tile's pixels in planes of blue, green and red; margins have the colours of the edge. */
export function detectorInput(picture: Picture, { left, top, width, height }: Tile): Float32Array {
  const { pixels } = picture;
  const input = new Float32Array(CHANNELS * width * height);
  const inside = (at: number, length: number) => Math.min(length - 1, Math.max(0, at - MARGIN));
  for (let y = 0; y < height; y++) {
    const row = inside(top + y, picture.height) * picture.width;
    for (let x = 0; x < width; x++) {
      const from = (row + inside(left + x, picture.width)) * CHANNELS;
      const to = y * width + x;
      for (let plane = 0; plane < CHANNELS; plane++)
        input[plane * width * height + to] =
          (pixels[from + CHANNELS - 1 - plane]! / 255 - MEAN[plane]!) / DEVIATION[plane]!;
    }
  }
  return input;
}
