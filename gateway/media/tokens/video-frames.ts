/** Frames that vLLM takes of a video, unless a model's reader has a rule of its own (`VideoMediaIO`). */
const MAX_FRAMES = 32;

/** How many frames vLLM's general reader takes. */
export function uniformFrames(frames: number): number {
  return Math.min(frames, MAX_FRAMES);
}
