import type { Size } from "../expansion.ts";

/** Columns and rows into which an image is cut. */
interface Grid {
  readonly columns: number;
  readonly rows: number;
}

/**
 * How many tiles an image becomes: those of the grid whose shape is closest to its own, and a small whole one if there
 * are several (transformers 5.19, `get_optimal_tiled_canvas`; vLLM 0.32, `calculate_internvl_targets`).
 * @param tile side of a tile, in pixels
 */
export function tilesOf(
  { width, height }: Size,
  tile: number,
  { least, most, hasWhole }: { least: number; most: number; hasWhole: boolean },
): number {
  let best: { grid: Grid; difference: number } | undefined;
  for (const grid of gridsOf(least, most)) {
    const difference = Math.abs(width / height - grid.columns / grid.rows);
    // Of equal shapes the larger one is taken, unless it has more than twice the image's pixels.
    const isLarger = width * height > 0.5 * tile * tile * grid.columns * grid.rows;
    if (best === undefined || difference < best.difference || (difference === best.difference && isLarger))
      best = { grid, difference };
  }
  const count = best === undefined ? 1 : best.grid.columns * best.grid.rows;
  return hasWhole && count > 1 ? count + 1 : count;
}

/** Most tiles that options can ask for. */
const MAX_TILES = 256;

/** All grids with so many tiles, the smallest first. */
function gridsOf(least: number, most: number): Grid[] {
  const grids: Grid[] = [];
  const limit = Math.min(most, MAX_TILES);
  for (let columns = 1; columns <= limit; columns += 1)
    for (let rows = 1; rows * columns <= limit; rows += 1)
      if (rows * columns >= least) grids.push({ columns, rows });
  return grids.sort((one, other) => one.columns * one.rows - other.columns * other.rows);
}
