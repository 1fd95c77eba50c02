import { join } from "node:path";
import { importPackage } from "../../packages.ts";

/** What tests draw with, of the npm package `sharp`. */
type Drawing = (input: object) => Canvas;

/** A picture that is drawn; see https://sharp.pixelplumbing.com/. */
interface Canvas {
  composite(
    layers: readonly { readonly input: Uint8Array; readonly left: number; readonly top: number }[],
  ): Canvas;
  rotate(degrees: number, options?: { readonly background: string }): Canvas;
  negate(options: { readonly alpha: boolean }): Canvas;
  withMetadata(data: { readonly orientation: number }): Canvas;
  toFormat(
    format: "png" | "jpeg" | "webp" | "gif" | "avif" | "tiff",
    options?: { readonly quality: number },
  ): Canvas;
  toBuffer(): Promise<Uint8Array>;
}

/** Text on a page, in pixels. */
export interface Block {
  readonly text: readonly string[];
  readonly left: number;
  readonly top: number;
  /** Of the letters. */
  readonly size: number;
}

/** Draws pages of black text on white. */
export class Pages {
  readonly #draw: Drawing;
  readonly #font: string;

  private constructor(draw: Drawing, font: string) {
    this.#draw = draw;
    this.#font = font;
  }

  /** @param folder in which `npm run ocr` has installed sharp and a font */
  static async open(folder: string): Promise<Pages> {
    const { module } = await importPackage(
      { name: "sharp", version: "0.35.5", use: "Tests draw with sharp" },
      folder,
    );
    if (!isDrawing(module.default)) throw new Error("This is not sharp.");
    return new Pages(
      module.default,
      join(folder, "node_modules", "dejavu-fonts-ttf", "ttf", "DejaVuSans.ttf"),
    );
  }

  /** A page, still to be encoded. */
  async page(width: number, height: number, blocks: readonly Block[]): Promise<Canvas> {
    const layers = await Promise.all(
      blocks.map(async ({ text, left, top, size }) => ({ input: await this.#text(text, size), left, top })),
    );
    const paper = this.#draw({ create: { width, height, channels: 3, background: "white" } });
    return this.#draw(await paper.composite(layers).toFormat("png").toBuffer());
  }

  /** A picture that is encoded, to be changed. */
  open(file: Uint8Array): Canvas {
    return this.#draw(file);
  }

  #text(lines: readonly string[], size: number): Promise<Uint8Array> {
    // At 72 dots an inch, a point is a pixel.
    const text = {
      text: lines.join("\n"),
      font: `DejaVu Sans ${size}px`,
      fontfile: this.#font,
      dpi: 72,
      spacing: Math.round(size / 3),
    };
    return this.#draw({ text }).negate({ alpha: false }).toFormat("png").toBuffer();
  }
}

const isDrawing = (value: unknown): value is Drawing => typeof value === "function";

/** The share of characters that are right: one less the edits (Levenshtein's distance) for each character expected. */
export function accuracyOf(read: string, expected: string): number {
  let row = Array.from({ length: expected.length + 1 }, (_, index) => index);
  for (const [index, letter] of [...read].entries()) {
    const next = [index + 1];
    for (let at = 1; at <= expected.length; at++)
      next.push(
        Math.min(row[at]! + 1, next[at - 1]! + 1, row[at - 1]! + (letter === expected[at - 1] ? 0 : 1)),
      );
    row = next;
  }
  return 1 - row[expected.length]! / expected.length;
}

/** Ordinary English. */
export const SENTENCES = [
  "It was the best of times, it was the worst of times.",
  "Please send your questions to help@example.org before Friday!",
  "A quick brown fox jumps over the lazy dog near the river bank.",
  "She paid $12.50 for two coffees (and a tip) on 3 March 2026.",
  "Who would have thought that 40% of all trains arrive early?",
  "It's raining again, so we'll stay at home and play some chess.",
  "The committee's report, published in June, is 128 pages long.",
  "Turn left at the church; the house with the red door is ours.",
  "Nobody knew what the old map meant, but everybody had a theory.",
  "Room 7 is on the second floor: take the stairs, not the lift.",
] as const;
