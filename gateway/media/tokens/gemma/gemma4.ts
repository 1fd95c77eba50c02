import type { AudioInfo, ImageInfo } from "../../inspect/index.ts";
import { joined, type Size, shownSize } from "../expansion.ts";
import type { Family, Medium, ModelFiles } from "../family.ts";
import { numberIn, positiveIn, valueIn } from "../json.ts";
import { soundOptions } from "../processors.ts";
import { samplesAt } from "../sound/resampling.ts";

/** Images and sound of Gemma 4 (vLLM 0.32, `Gemma4MultiModalProcessor`). */
export const gemma4: Family = {
  name: "gemma4",
  architectures: ["Gemma4ForConditionalGeneration"],
  read: (files) => ({ image: image(files), audio: sound(files) }),
};

function image({ config }: ModelFiles): Medium<ImageInfo> | undefined {
  const placeholder = numberIn(config, "image_token_id") ?? 258_880;
  const [start, end] = [
    numberIn(config, "boi_token_id") ?? 255_999,
    numberIn(config, "eoi_token_id") ?? 258_882,
  ];
  const most = positiveIn(config, "vision_config", "default_output_length") ?? 280;
  const patch = positiveIn(config, "vision_config", "patch_size") ?? 16;
  const pool = positiveIn(config, "vision_config", "pooling_kernel_size") ?? 3;
  return {
    placeholder,
    expand: (info) => {
      const count = imageTokens(shownSize(info), patch, pool, most);
      return joined([[start], { token: placeholder, count }, [end]]);
    },
  };
}

/** The squares of pooled patches in an image that is scaled to fill about the most of them. */
function imageTokens({ width, height }: Size, patch: number, pool: number, most: number): number {
  const side = patch * pool;
  const scale = Math.sqrt((most * pool ** 2) / ((height / patch) * (width / patch)));
  const scaled = (length: number) => Math.max(1, Math.floor((length * scale) / side));
  return Math.min(scaled(height) * scaled(width), most);
}

function sound(files: ModelFiles): Medium<AudioInfo> | undefined {
  const { config } = files;
  if (valueIn(config, "audio_config") === undefined) return undefined;
  const placeholder = numberIn(config, "audio_token_id") ?? 258_881;
  const start = numberIn(config, "boa_token_id") ?? 256_000;
  const end = numberIn(config, "eoa_token_id") ?? numberIn(config, "eoa_token_index") ?? 258_883;
  const rate = positiveIn(soundOptions(files), "sampling_rate") ?? 16_000;
  const most = positiveIn(files.processor, "audio_seq_length") ?? 750;
  return {
    placeholder,
    expand(info) {
      const samples = samplesAt(info, rate);
      if (samples === undefined) return undefined;
      const count = soundTokens(samples, rate, most);
      return joined([[start], { token: placeholder, count }, [end]]);
    },
  };
}

/** Frames of 20 ms every 10 ms, of which two convolutions leave a quarter. */
function soundTokens(samples: number, rate: number, most: number): number {
  const [length, hop] = [Math.round(rate / 50), Math.round(rate / 100)];
  const frames = Math.floor((samples + Math.floor(length / 2) - length - 1) / hop) + 1;
  if (frames <= 0) return 0;
  const halved = (count: number) => Math.floor((count - 1) / 2) + 1;
  return Math.min(halved(halved(frames)), most);
}
