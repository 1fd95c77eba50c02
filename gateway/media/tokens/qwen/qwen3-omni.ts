import type { AudioInfo } from "../../inspect/index.ts";
import { repeated } from "../expansion.ts";
import type { Family, Medium, ModelFiles } from "../family.ts";
import { numberIn } from "../json.ts";
import { samplesAt } from "../sound/resampling.ts";
import { whisperOptions } from "../sound/whisper.ts";
import type { PixelLimits } from "./smart-resize.ts";
import { qwen2Video, qwenImage } from "./vision.ts";

/** Qwen3-Omni's thinker, with a video's own sound left out (vLLM 0.32, `Qwen3OmniMoeThinkerMultiModalProcessor`). */
export const qwen3Omni: Family = {
  name: "qwen3-omni",
  architectures: ["Qwen3OmniMoeForConditionalGeneration"],
  read(files) {
    const id = (text: string, name: string) =>
      files.tokenId(text) ?? numberIn(files.config, "thinker_config", name);
    const image = id("<|image_pad|>", "image_token_id");
    const video = id("<|video_pad|>", "video_token_id");
    const audio = id("<|audio_pad|>", "audio_token_id");
    return {
      image: image === undefined ? undefined : qwenImage(files, image),
      video: video === undefined ? undefined : qwen2Video(files, video, VIDEO_LIMITS),
      audio: audio === undefined ? undefined : sound(files, audio),
    };
  },
};

/** Its processor passes these with every call, whatever the video processor's file says. */
const VIDEO_LIMITS: PixelLimits = { least: 128 * 32 * 32, most: 768 * 32 * 32 };

/** Frames that its encoder takes at once, and the tokens that they become. */
const [WINDOW, WINDOW_TOKENS] = [100, 13];

function sound(files: ModelFiles, placeholder: number): Medium<AudioInfo> {
  const { rate, hop, window } = whisperOptions(files);
  return {
    placeholder,
    expand(info) {
      const samples = samplesAt(info, rate);
      if (samples === undefined) return undefined;
      const frames = Math.ceil(samples / hop);
      // The spectrum mirrors half a window at each end, so a shorter sound has none.
      if (frames * hop <= window / 2) return undefined;
      // Three convolutions halve what is left over of the last window.
      const halved = (count: number) => Math.floor((count - 1) / 2) + 1;
      const rest = halved(halved(halved(frames % WINDOW)));
      return repeated(placeholder, rest + Math.floor(frames / WINDOW) * WINDOW_TOKENS);
    },
  };
}
