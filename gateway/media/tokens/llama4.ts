import { joined, type Size, shownSize } from "./expansion.ts";
import type { Family } from "./family.ts";
import { isTrueIn, positiveIn } from "./json.ts";
import { imageOptions } from "./processors.ts";
import { roundHalfEven } from "./rounding.ts";

/** Llama 4: an image's tiles with a token after each, then the whole image (vLLM 0.32, `Mllama4MultiModalProcessor`). */
export const llama4: Family = {
  name: "llama4",
  architectures: ["Llama4ForConditionalGeneration"],
  read(files) {
    const ids = NAMES.map((name) => files.tokenId(name));
    const [start, end, image, patch, columnEnd, rowEnd] = ids;
    if (start === undefined || end === undefined || image === undefined) return undefined;
    if (patch === undefined || columnEnd === undefined || rowEnd === undefined) return undefined;
    const side = positiveIn(files.config, "vision_config", "image_size") ?? 448;
    const patchSide = positiveIn(files.config, "vision_config", "patch_size") ?? 14;
    const ratio = positiveIn(files.config, "vision_config", "pixel_shuffle_ratio") ?? 0.5;
    const count = Math.floor((side / patchSide) ** 2 / roundHalfEven(1 / ratio ** 2));
    const pads = { token: patch, count };
    const options = imageOptions(files);
    const grids = gridsOf(positiveIn(options, "max_patches") ?? 16);
    const isLargest = isTrueIn(options, "resize_to_max_canvas");
    return {
      image: {
        placeholder: image,
        expand(info) {
          const { columns, rows } = bestGrid(shownSize(info), grids, side, isLargest);
          const row = Array.from({ length: columns }, (_, index) =>
            index === columns - 1 ? [pads, [rowEnd]] : [pads, [columnEnd]],
          ).flat();
          const tiles = columns * rows > 1 ? new Array<typeof row>(rows).fill(row).flat() : [];
          return joined([[start], ...tiles, [image], pads, [end]]);
        },
      },
    };
  },
};

const NAMES = [
  "<|image_start|>",
  "<|image_end|>",
  "<|image|>",
  "<|patch|>",
  "<|tile_x_separator|>",
  "<|tile_y_separator|>",
];

interface Grid {
  readonly columns: number;
  readonly rows: number;
}

/** Most tiles that options can ask for. */
const MAX_TILES = 256;

function gridsOf(most: number): Grid[] {
  const grids: Grid[] = [];
  for (let rows = 1; rows <= Math.min(most, MAX_TILES); rows += 1)
    for (let columns = 1; rows * columns <= Math.min(most, MAX_TILES); columns += 1)
      grids.push({ columns, rows });
  return grids;
}

/**
 * The grid that enlarges an image least, or else shrinks it least; of several, the smallest (transformers 5.19,
 * `get_best_fit`, which compares scales in 32-bit floats).
 * @param isLargest whether an image is enlarged as far as possible
 */
function bestGrid({ width, height }: Size, grids: readonly Grid[], side: number, isLargest: boolean): Grid {
  const scaled = grids.map((grid) => {
    const across = Math.fround((grid.columns * side) / width);
    return { grid, scale: Math.min(across, Math.fround((grid.rows * side) / height)) };
  });
  const scales = scaled.map(({ scale }) => scale);
  const enlarging = scales.filter((scale) => scale >= 1);
  const best = enlarging.length > 0 && !isLargest ? Math.min(...enlarging) : Math.max(...scales);
  return scaled
    .filter(({ scale }) => scale === best)
    .map(({ grid }) => grid)
    .reduce((one, other) => (other.columns * other.rows < one.columns * one.rows ? other : one));
}
