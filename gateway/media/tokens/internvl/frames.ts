import type { VideoInfo } from "../../inspect/index.ts";
import { joined, type Run } from "../expansion.ts";
import type { Medium, ModelFiles } from "../family.ts";
import { uniformFrames } from "../video-frames.ts";

/** The tokens that frame an image, and how many stand for a tile. */
export interface Frame {
  readonly start: number;
  readonly end: number;
  readonly tokens: number;
}

/** A video becomes its frames, one tile each, with their numbers as text. */
export function framesMedium(
  files: ModelFiles,
  placeholder: number,
  { start, end, tokens }: Frame,
  separator: string,
): Medium<VideoInfo> {
  const pads = { token: placeholder, count: tokens };
  return {
    placeholder,
    expand({ frames }) {
      if (!frames) return undefined;
      // All texts are asked for, even if one is not known yet.
      const labels = Array.from({ length: uniformFrames(frames) }, (_, index) =>
        files.encode(`${index > 0 ? separator : ""}Frame${index + 1}: `),
      );
      const parts: (Run | ArrayLike<number>)[] = [];
      for (const label of labels) {
        if (label === undefined) return undefined;
        parts.push(label, [start], pads, [end]);
      }
      return joined(parts);
    },
  };
}
