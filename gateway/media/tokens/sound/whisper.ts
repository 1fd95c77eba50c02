import type { AudioInfo } from "../../inspect/index.ts";
import type { ModelFiles } from "../family.ts";
import { positiveIn } from "../json.ts";
import { soundOptions } from "../processors.ts";
import { samplesAt } from "./resampling.ts";

/** Whisper's features of a sound (transformers 5.19, `WhisperFeatureExtractor`). */
export interface WhisperOptions {
  /** In Hz. */
  readonly rate: number;
  /** Samples from one frame to the next. */
  readonly hop: number;
  /** Samples of one frame's spectrum. */
  readonly window: number;
  /** Samples to which shorter sounds are padded. */
  readonly chunk: number;
}

export function whisperOptions(files: ModelFiles): WhisperOptions {
  const options = soundOptions(files);
  const rate = positiveIn(options, "sampling_rate") ?? 16_000;
  return {
    rate,
    hop: positiveIn(options, "hop_length") ?? 160,
    window: positiveIn(options, "n_fft") ?? 400,
    chunk: (positiveIn(options, "chunk_length") ?? 30) * rate,
  };
}

/** Frames of a sound that are not padding. What is longer than a chunk is cut off. */
export function cutFrames(info: AudioInfo, { rate, hop, chunk }: WhisperOptions): number | undefined {
  const samples = samplesAt(info, rate);
  return samples === undefined ? undefined : Math.min(Math.ceil(samples / hop), Math.floor(chunk / hop));
}

/** Frames of a sound that are not padding, with nothing cut off. A sound longer than a chunk loses a partial frame. */
export function allFrames(info: AudioInfo, options: WhisperOptions): number | undefined {
  const samples = samplesAt(info, options.rate);
  if (samples === undefined || samples <= options.chunk) return cutFrames(info, options);
  return Math.floor(samples / options.hop);
}

/** What is left of frames after a convolution and a pooling that each halve them, as in Qwen's sound encoders. */
export function quartered(frames: number): number {
  const halved = Math.floor((frames - 1) / 2) + 1;
  return Math.floor((halved - 2) / 2) + 1;
}
