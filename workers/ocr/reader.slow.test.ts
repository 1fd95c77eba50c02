import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type OcrReader, openOcrReader, PictureError } from "./reader.ts";
import { accuracyOf, type Block, Pages, SENTENCES } from "./testing/pages.ts";

/** The real models, as `npm run ocr` installs them. */
let reader: OcrReader;
let pages: Pages;

/** Installing takes minutes on a slow network. */
const INSTALLATION_MS = 900_000;

beforeAll(async () => {
  const script = fileURLToPath(new URL("../../scripts/ocr.mjs", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [script]);
  const folder = stdout.trim();
  pages = await Pages.open(folder);
  reader = await openOcrReader({ folder, threads: 1 });
}, INSTALLATION_MS);
afterAll(() => reader?.close());

const never = new AbortController().signal;
const linesOf = (picture: Uint8Array) => reader.read(picture, never);
const textOf = async (picture: Uint8Array) => (await linesOf(picture)).map(({ text }) => text).join("\n");

const ordinary = (size = 22): Block => ({ text: SENTENCES, left: 50, top: 50, size });
const drawn = () => pages.page(860, 420, [ordinary()]);
/** Three sentences, where the number of lines does not matter: each takes a while. */
const FEW = SENTENCES.slice(0, 3);
const drawnFew = () => pages.page(860, 180, [{ ...ordinary(), text: FEW }]);
const png = async () => (await drawn()).toFormat("png").toBuffer();

async function expectSentences(
  picture: Uint8Array,
  least: number,
  sentences: readonly string[] = SENTENCES,
): Promise<void> {
  expect(accuracyOf(await textOf(picture), sentences.join("\n"))).toBeGreaterThan(least);
}

test("reads a page of ordinary English", async () => {
  const sheets = await Promise.all(
    [28, 22, 16, 12].map(async (letters) => {
      const page = await pages.page(letters * 40, letters * 20, [ordinary(letters)]);
      return textOf(await page.toFormat("png").toBuffer());
    }),
  );
  const expected = SENTENCES.join("\n");
  const mean = sheets.reduce((sum, text) => sum + accuracyOf(text, expected), 0) / sheets.length;
  console.log(`${(100 * mean).toFixed(1)} of 100 characters are right`);
  expect(mean).toBeGreaterThan(0.98);
});

test("tells where each line is, and how sure it is", async () => {
  const page = await pages.page(600, 400, [{ text: ["Stator 2026"], left: 200, top: 150, size: 40 }]);
  const lines = await linesOf(await page.toFormat("png").toBuffer());
  expect(lines).toMatchObject([{ text: "Stator 2026", row: 0 }]);
  const [{ score, box }] = [lines[0]!];
  expect(score).toBeGreaterThan(0.9);
  const [topLeft, , bottomRight] = box;
  for (const [actual, expected] of [
    [topLeft.x, 200],
    [topLeft.y, 150],
    [bottomRight.x, 440],
    [bottomRight.y, 182],
  ] as const)
    expect(Math.abs(actual - expected)).toBeLessThan(20);
});

test("reads columns one after another, below their heading", async () => {
  const [left, right] = [SENTENCES.slice(0, 5), SENTENCES.slice(5)];
  const page = await pages.page(1400, 400, [
    { text: ["A heading across the page"], left: 400, top: 30, size: 36 },
    { text: left, left: 40, top: 120, size: 20 },
    { text: right, left: 740, top: 120, size: 20 },
  ]);
  const text = await textOf(await page.toFormat("png").toBuffer());
  const expected = ["A heading across the page", ...left, ...right].join("\n");
  expect(accuracyOf(text, expected)).toBeGreaterThan(0.97);
});

test.each([90, 180, 270, 4, -7])("reads a page turned by %d degrees", async (degrees) => {
  const page = (await drawnFew()).rotate(degrees, { background: "white" });
  await expectSentences(await page.toFormat("png").toBuffer(), 0.97, FEW);
});

test("reads small print on a large page", async () => {
  const page = await pages.page(1240, 1754, [{ text: SENTENCES, left: 100, top: 800, size: 13 }]);
  await expectSentences(await page.toFormat("png").toBuffer(), 0.97);
});

test("reads white on black", async () => {
  const picture = await (await drawnFew()).negate({ alpha: false }).toFormat("png").toBuffer();
  await expectSentences(picture, 0.97, FEW);
});

test.each(["jpeg", "webp", "gif", "avif", "tiff"] as const)("reads %s", async (format) => {
  const picture = await (await drawnFew()).toFormat(format, { quality: 70 }).toBuffer();
  await expectSentences(picture, 0.97, FEW);
});

test("turns a picture as its EXIF data says, boxes too", async () => {
  // The value 6 says: turn it by 90 degrees to the right.
  const picture = await pages
    .open(await (await drawn()).rotate(-90).toFormat("png").toBuffer())
    .withMetadata({ orientation: 6 })
    .toFormat("jpeg", { quality: 90 })
    .toBuffer();
  await expectSentences(picture, 0.97);
  const [topLeft, topRight] = (await linesOf(picture))[0]!.box;
  expect(topRight.x - topLeft.x).toBeGreaterThan(500);
});

test("reads a picture that is much longer than wide", async () => {
  const text = Array.from({ length: 3 }, () => SENTENCES).flat();
  const page = await pages.page(500, 5000, [
    ...text.map((sentence, index) => ({ text: [sentence], left: 20, top: 20 + index * 160, size: 14 })),
  ]);
  const read = await textOf(await page.toFormat("png").toBuffer());
  expect(accuracyOf(read, text.join("\n"))).toBeGreaterThan(0.97);
});

test.each([
  [800, 600],
  [1, 1],
  [10_000, 10],
  [10, 10_000],
  [1, 65_535],
])("an empty picture of %d × %d pixels has no lines", async (width, height) => {
  const page = await pages.page(width, height, []);
  expect(await linesOf(await page.toFormat("png").toBuffer())).toEqual([]);
});

/** The PNG file with other dimensions in its header: https://www.w3.org/TR/png/#11IHDR */
function withSize(file: Uint8Array, width: number, height: number): Uint8Array {
  const copy = new Uint8Array(file);
  const view = new DataView(copy.buffer);
  view.setUint32(16, width);
  view.setUint32(20, height);
  return copy;
}

test.each<[what: string, problem: string, file: () => Promise<Uint8Array>]>([
  ["an empty file", "unsupported", async () => new Uint8Array(0)],
  ["text", "unsupported", async () => new TextEncoder().encode("This is no picture.")],
  ["SVG", "unsupported", async () => new TextEncoder().encode("<svg xmlns='http://www.w3.org/2000/svg'/>")],
  ["a magic number alone", "damaged", async () => (await png()).subarray(0, 8)],
  ["a PNG that is cut off", "damaged", async () => (await png()).subarray(0, 5000)],
  [
    "a PNG with a flipped bit",
    "damaged",
    async () => (await png()).map((byte, at) => (at === 3000 ? byte ^ 1 : byte)),
  ],
  ["a header that lies", "damaged", async () => withSize(await png(), 860, 421)],
  [
    "a header of two thousand million squared",
    "damaged",
    async () => withSize(await png(), 2 ** 31 - 1, 2 ** 31 - 1),
  ],
  [
    "a header of a hundred thousand squared",
    "too_large",
    async () => withSize(await png(), 100_000, 100_000),
  ],
  [
    "a JPEG that is cut off",
    "damaged",
    async () => (await (await drawn()).toFormat("jpeg").toBuffer()).subarray(0, 20_000),
  ],
  [
    "a side of seventy thousand pixels",
    "too_large",
    async () => (await pages.page(70_000, 1, [])).toFormat("png").toBuffer(),
  ],
])("refuses %s, and reads on", async (_what, problem, file) => {
  const refused = await linesOf(await file()).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(PictureError);
  const message = problem === "too_large" ? /^(The|A) .*\. Send a smaller picture\.$/ : /^(The|A) .*\.$/;
  expect(refused).toMatchObject({ problem, message: expect.stringMatching(message) });
});

test.each(["png", "jpeg", "webp", "gif", "avif", "tiff"] as const)(
  "a damaged %s is refused or read, and nothing worse",
  async (format) => {
    const page = await pages.page(200, 60, [{ text: ["Stator"], left: 20, top: 15, size: 24 }]);
    const file = await page.toFormat(format).toBuffer();
    const at = fc.integer({ min: 0, max: file.length - 1 });
    const change = fc.record({ at, value: fc.integer({ min: 0, max: 255 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 8 }), async (changes) => {
        const damaged = new Uint8Array(file);
        for (const { at, value } of changes) damaged[at] = value;
        await linesOf(damaged).catch((error: unknown) => expect(error).toBeInstanceOf(PictureError));
      }),
      { numRuns: 50 },
    );
  },
);

test("an abort ends a read at once, and the next one is answered", async () => {
  const picture = await png();
  const controller = new AbortController();
  const aborted = reader.read(picture, controller.signal);
  const reason = new Error("The client has left.");
  controller.abort(reason);
  await expect(aborted).rejects.toBe(reason);
  await expect(reader.read(picture, controller.signal)).rejects.toBe(reason);
  await expectSentences(picture, 0.97);
});

test("the event loop turns while a picture is read", async () => {
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  await linesOf(await png());
  clearInterval(timer);
  expect(turns).toBeGreaterThan(20);
});
