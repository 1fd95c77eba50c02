import type { AudioInfo } from "../../inspect/index.ts";
import { repeated } from "../expansion.ts";
import type { Family, Medium, ModelFiles } from "../family.ts";
import { numberIn } from "../json.ts";
import { cutFrames, quartered, type WhisperOptions, whisperOptions } from "../sound/whisper.ts";

/** Qwen2-Audio (vLLM 0.32, `Qwen2AudioMultiModalProcessor`). */
export const qwen2Audio: Family = {
  name: "qwen2-audio",
  architectures: ["Qwen2AudioForConditionalGeneration"],
  read(files) {
    const token = files.tokenId("<|AUDIO|>") ?? numberIn(files.config, "audio_token_index");
    return token === undefined ? undefined : { audio: qwen2Sound(files, token, cutFrames) };
  },
};

/**
 * A sound becomes one token for each four of Whisper's frames: 25 a second.
 * @param framesOf how it is cut
 */
export function qwen2Sound(
  files: ModelFiles,
  placeholder: number,
  framesOf: (info: AudioInfo, options: WhisperOptions) => number | undefined,
): Medium<AudioInfo> {
  const options = whisperOptions(files);
  return {
    placeholder,
    expand(info) {
      const frames = framesOf(info, options);
      return frames === undefined ? undefined : repeated(placeholder, quartered(frames));
    },
  };
}
