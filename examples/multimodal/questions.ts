import type { VideoFrames } from "./decode-video.ts";
import { dataUrl, frameList, jpeg, png, tone, wav } from "./media.ts";

export const KINDS = ["image", "audio", "video", "processor"] as const;
export type Kind = (typeof KINDS)[number];

/** What is asked, with the content parts. @param videos with which an MP4 file is made, to ask about it too */
export async function questionsOf(
  what: Kind,
  videos: VideoFrames | undefined,
): Promise<[title: string, parts: object[]][]> {
  if (what === "image")
    return [
      ["A red picture", [image(png(64, [200, 30, 30]))]],
      ["The same again", [image(png(64, [200, 30, 30]))]],
      ["A red and a blue one", [image(png(64, [200, 30, 30])), image(png(64, [30, 30, 200]))]],
    ];
  if (what === "audio")
    return [
      ["A tone of 440 Hz", [sound(440, 16_000)]],
      ["Another one", [sound(660, 16_000)]],
    ];
  const video = { type: "video_url", video_url: { url: frameList(fading(16)) } };
  if (what === "video") return [["A video of 16 frames", [video]]];
  return [
    ["A video of 16 frames, 2 a second, of which the processor sends 4", [video]],
    ["A sound of 44,100 samples a second", [sound(440, 44_100)]],
    ...(videos === undefined ? [] : [await mp4Question(videos)]),
  ];
}

async function mp4Question(videos: VideoFrames): Promise<[title: string, parts: object[]]> {
  const reds = Array.from({ length: 30 }, (_, index) => [8 * index, 40, 40]);
  const url = dataUrl("video/mp4", await videos.make(64, 10, reds));
  return [
    "An MP4 of 3 seconds, 10 frames a second, of which the processor sends 3",
    [{ type: "video_url", video_url: { url } }],
  ];
}

const image = (bytes: Uint8Array) => ({
  type: "image_url",
  image_url: { url: dataUrl("image/png", bytes) },
});

const sound = (hertz: number, rate: number) => ({
  type: "input_audio",
  input_audio: { data: Buffer.from(wav(tone(hertz, 2, rate), rate)).toString("base64"), format: "wav" },
});

/** Frames from black to white. */
const fading = (count: number) =>
  Array.from({ length: count }, (_, index) => jpeg(Math.round((255 * index) / (count - 1))));
