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

/** Whether a video is a list of frames: `data:video/jpeg;base64,FRAME,FRAME,…`, as vLLM takes it without a container. */
export const isFrameList = (url: string): boolean => url.startsWith(HEAD);

/**
 * Chooses frames of a list of frames.
 * @returns the frames in base64, and of how many
 */
export function sampleFrames(url: string, sampling: Sampling): { frames: readonly string[]; of: number } {
  const all = url.slice(HEAD.length).split(",");
  const { source_fps } = samplingSchema.parse(sampling);
  return {
    frames: chosenFrames(all.length, source_fps, sampling).map((index) => all[index]!),
    of: all.length,
  };
}

/** The indices of the frames to take. @param count of all frames @param rate frames a second */
export function chosenFrames(count: number, rate: number, sampling: Sampling): readonly number[] {
  const { num_frames = count, fps } = samplingSchema.parse(sampling);
  const step = fps === undefined ? 1 : Math.max(1, rate / fps);
  const paced = Array.from({ length: count }, (_, index) => index).filter((index) => isTaken(index, step));
  return evenly(paced, num_frames);
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
