import { expect, test } from "vitest";
import { isFrameList, type Sampling, sampleFrames } from "./sample-frames.ts";

const video = "data:video/jpeg;base64,a,b,c,d,e,f,g,h";

test.each<[string, Sampling, string]>([
  ["all without a limit", {}, "abcdefgh"],
  ["so many, with the first and the last", { num_frames: 3 }, "aeh"],
  ["a single one", { num_frames: 1 }, "a"],
  ["no more than there are", { num_frames: 20 }, "abcdefgh"],
  ["so many a second", { fps: 1 }, "aceg"],
  ["so many a second of a faster list", { fps: 1, source_fps: 4 }, "ae"],
  ["no more a second than there are", { fps: 10 }, "abcdefgh"],
  ["of those a second, so many", { fps: 1, num_frames: 2 }, "ag"],
])("frames are sampled: %s", (_what, sampling, expected) => {
  const { frames, of } = sampleFrames(video, sampling);
  expect([frames.join(""), of]).toEqual([expected, 8]);
});

test("lists of frames are told from containers", () => {
  expect(isFrameList("data:video/jpeg;base64,QQ==")).toBe(true);
  expect(isFrameList("data:video/mp4;base64,QQ==")).toBe(false);
});
