import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { beforeAll, expect, test } from "vitest";
import { openVideoFrames, type VideoFrames } from "./decode-video.ts";
import { pngOf } from "./media.ts";

// The real decoder, of a file that its own encoder has made.

const SIDE = 64;
const RATE = 10;
let videos: VideoFrames;
let file: Uint8Array;

beforeAll(async () => {
  const script = fileURLToPath(new URL("../../scripts/video.mjs", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [script]);
  videos = openVideoFrames(stdout.trim().split("\n").at(-1)!);
  const greys = Array.from({ length: 30 }, (_, index) => [8 * index, 8 * index, 8 * index]);
  file = await videos.make(SIDE, RATE, greys);
}, 300_000);

test("takes as many frames of an MP4 as asked, in their order", async () => {
  expect(await videos.sample(file, {})).toMatchObject({ of: 30, frames: { length: 30 } });
  expect((await videos.sample(file, { fps: 1 })).frames).toHaveLength(3);
  const { frames, of } = await videos.sample(file, { fps: 5, num_frames: 4 });
  expect(of).toBe(30);
  expect(frames).toHaveLength(4);
  for (const frame of frames) expect(Buffer.from(frame.subarray(16, 24)).readUInt32BE()).toBe(SIDE);
  const all = await videos.sample(file, {});
  expect(frames[0]).toEqual(all.frames[0]);
  expect(new Set(frames.map((frame) => Buffer.from(frame).toString("base64"))).size).toBe(4);
});

test.each([
  ["cut off", () => file.subarray(0, 200)],
  ["a picture", () => pngOf(1, 1, new Uint8Array(4))],
  ["nothing", () => new Uint8Array(0)],
])("refuses a file that is %s", async (_, content) => {
  await expect(videos.sample(content(), {})).rejects.toThrow();
});
