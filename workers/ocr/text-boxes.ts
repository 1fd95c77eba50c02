import { findComponents } from "./components.ts";
import { type LineBox, smallestRectangle } from "./geometry.ts";

/** The settings of PaddleOCR's PP-OCRv4 for its `DBPostProcess`. */
const PIXEL_THRESHOLD = 0.3;
const BOX_THRESHOLD = 0.6;
const UNCLIP_RATIO = 1.5;
const SMALLEST_SIDE = 3;
const MOST_BOXES = 1000;

/**
 * The lines of text in a detector's map, by the steps of Differentiable Binarization (https://arxiv.org/abs/1911.08947) as
 * PaddleOCR's `DBPostProcess` documents them: pixels over a threshold, connected parts, their smallest rectangles, the mean
 * probability inside, and "unclip", as the detector learnt the text's core only.
 * @param map probabilities that a pixel is of a line's core, row by row
 * @returns boxes in pixels of the map
 */
export function findTextBoxes(map: Float32Array, width: number): LineBox[] {
  const boxes: LineBox[] = [];
  for (const { hull } of findComponents(map, width, PIXEL_THRESHOLD, MOST_BOXES)) {
    const core = smallestRectangle(hull);
    if (Math.min(core.length, core.thickness) < SMALLEST_SIDE) continue;
    if (meanInside(map, width, core) < BOX_THRESHOLD) continue;
    boxes.push(unclipped(core));
  }
  return boxes;
}

/**
 * The box of which the detector saw the core: each side moves outwards by area · ratio / perimeter. (PaddleOCR offsets the
 * polygon with round corners and takes the smallest rectangle again, which is the same for a rectangle.)
 */
export function unclipped(core: LineBox): LineBox {
  const { length, thickness } = core;
  const distance = (length * thickness * UNCLIP_RATIO) / (2 * (length + thickness));
  return { ...core, length: length + 2 * distance, thickness: thickness + 2 * distance };
}

/** The mean of the pixels whose centres are inside. */
function meanInside(map: Float32Array, width: number, { center, length, thickness, angle }: LineBox): number {
  const height = Math.floor(map.length / width);
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  // Half of the upright rectangle around the box.
  const halfWidth = (length * Math.abs(cos) + thickness * Math.abs(sin)) / 2 + ROUNDING;
  const halfHeight = (length * Math.abs(sin) + thickness * Math.abs(cos)) / 2 + ROUNDING;
  let [sum, count] = [0, 0];
  const last = Math.min(height - 1, Math.floor(center.y + halfHeight));
  for (let y = Math.max(0, Math.ceil(center.y - halfHeight)); y <= last; y++) {
    const end = Math.min(width - 1, Math.floor(center.x + halfWidth));
    for (let x = Math.max(0, Math.ceil(center.x - halfWidth)); x <= end; x++) {
      const [dx, dy] = [x - center.x, y - center.y];
      if (Math.abs(dx * cos + dy * sin) > length / 2 + ROUNDING) continue;
      if (Math.abs(dy * cos - dx * sin) > thickness / 2 + ROUNDING) continue;
      sum += map[y * width + x]!;
      count++;
    }
  }
  return count === 0 ? 0 : sum / count;
}

const ROUNDING = 1e-6;
