import type { Family } from "../family.ts";
import { numberIn } from "../json.ts";
import { allFrames } from "../sound/whisper.ts";
import { qwen2Sound } from "./qwen2-audio.ts";
import { qwen2Video, qwenImage, VIDEO_LIMITS } from "./vision.ts";

/** Qwen2.5-Omni's thinker, with a video's own sound left out (vLLM 0.32, `Qwen2_5OmniThinkerMultiModalProcessor`). */
export const qwen25Omni: Family = {
  name: "qwen2.5-omni",
  architectures: ["Qwen2_5OmniModel", "Qwen2_5OmniForConditionalGeneration"],
  read(files) {
    const id = (text: string, name: string) =>
      files.tokenId(text) ?? numberIn(files.config, "thinker_config", name);
    const image = id("<|IMAGE|>", "image_token_index");
    const video = id("<|VIDEO|>", "video_token_index");
    const audio = id("<|AUDIO|>", "audio_token_index");
    return {
      image: image === undefined ? undefined : qwenImage(files, image),
      // Its processor passes these limits with every call, whatever the video processor's file says.
      video: video === undefined ? undefined : qwen2Video(files, video, VIDEO_LIMITS),
      audio: audio === undefined ? undefined : qwen2Sound(files, audio, allFrames),
    };
  },
};
