import { z } from "zod";

/** Which frames of a video are taken; without either, all. */
export const samplingSchema = z.looseObject({
  /** At most so many, evenly spaced, with the first and the last. */
  num_frames: z.number().int().positive().optional(),
  /** So many a second. */
  fps: z.number().positive().optional(),
  /** Of the list itself, in frames a second. */
  source_fps: z.number().positive().default(2),
});

export type Sampling = z.input<typeof samplingSchema>;

const HEAD = "data:video/jpeg;base64,";

/**
 * Chooses frames of a list of frames.
 * @param url `data:video/jpeg;base64,FRAME,FRAME,…`
 * @returns the frames in base64, and of how many
 * @throws Error for any other video
 */
export function sampleFrames(url: string, sampling: Sampling): { frames: readonly string[]; of: number } {
  if (!url.startsWith(HEAD))
    throw new Error(`This processor decodes no containers: send the video as a list of frames, ${HEAD}….`);
  const all = url.slice(HEAD.length).split(",");
  const { num_frames = all.length, fps, source_fps } = samplingSchema.parse(sampling);
  const step = fps === undefined ? 1 : Math.max(1, source_fps / fps);
  const paced = all.filter((_, index) => isTaken(index, step));
  return { frames: evenly(paced, num_frames), of: all.length };
}

/** Whether a frame is the first one of its step. */
const isTaken = (index: number, step: number) =>
  index === 0 || Math.floor(index / step) > Math.floor((index - 1) / step);

function evenly<Frame>(frames: readonly Frame[], count: number): readonly Frame[] {
  if (frames.length <= count) return frames;
  if (count === 1) return frames.slice(0, 1);
  return Array.from(
    { length: count },
    (_, index) => frames[Math.round((index * (frames.length - 1)) / (count - 1))]!,
  );
}
