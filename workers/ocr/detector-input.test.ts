import fc from "fast-check";
import { expect, test } from "vitest";
import { detectorInput, tilesOf } from "./detector-input.ts";
import { CHANNELS, type Picture } from "./picture.ts";

const picture = (width: number, height: number): Picture => ({
  pixels: new Uint8Array(width * height * CHANNELS).fill(255),
  width,
  height,
});

test("a page is one tile", () => {
  const { tiles, width, height } = tilesOf(picture(1536, 1000));
  expect({ width, height }).toEqual({ width: 1600, height: 1088 });
  expect(tiles).toEqual([
    { left: 0, top: 0, width, height, core: { left: 0, top: 0, right: width, bottom: height } },
  ]);
});

test("the tiles' own parts cover a long picture without overlap", () => {
  const side = fc.integer({ min: 1, max: 70_000 });
  fc.assert(
    fc.property(side, fc.boolean(), (long, isWide) => {
      const { tiles, width, height } = tilesOf({
        pixels: new Uint8Array(0),
        ...(isWide ? { width: long, height: 1 } : { width: 1, height: long }),
      });
      let at = 0;
      for (const { left, top, width: seenWidth, height: seenHeight, core } of tiles) {
        const [from, to] = width > height ? [core.left, core.right] : [core.top, core.bottom];
        expect(from).toBe(at);
        expect(to).toBeGreaterThan(from);
        at = to;
        expect(left).toBeLessThanOrEqual(core.left);
        expect(left + seenWidth).toBeGreaterThanOrEqual(core.right);
        expect(top + seenHeight).toBeGreaterThanOrEqual(core.bottom);
        expect(Math.max(seenWidth, seenHeight)).toBeLessThanOrEqual(1600);
        expect((seenWidth % 32) + (seenHeight % 32)).toBe(0);
      }
      expect(at).toBe(Math.max(width, height));
    }),
  );
});

test("the detector sees blue, green and red, normalised, with the edge repeated around them", () => {
  const { tiles } = tilesOf(picture(1, 1));
  const red: Picture = { pixels: Uint8Array.of(255, 0, 0), width: 1, height: 1 };
  const input = detectorInput(red, tiles[0]!);
  const size = input.length / CHANNELS;
  const planes = [0, 1, 2].map((plane) => new Set(input.subarray(plane * size, (plane + 1) * size)));
  const expected = [-0.485 / 0.229, -0.456 / 0.224, (1 - 0.406) / 0.225];
  expect(planes).toEqual(expected.map((value) => new Set([Math.fround(value)])));
});
