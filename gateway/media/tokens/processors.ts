import type { ModelFiles } from "./family.ts";
import { valueIn } from "./json.ts";

/**
 * Options of a model's processors, found as transformers 5 finds them: nested in processor_config.json, else in a file
 * of their own. Where a video processor has no file, the image processor's serves.
 */
export const imageOptions = ({ processor, preprocessor }: ModelFiles): unknown =>
  valueIn(processor, "image_processor") ?? preprocessor;

export const videoOptions = ({ processor, videoPreprocessor, preprocessor }: ModelFiles): unknown =>
  valueIn(processor, "video_processor") ?? videoPreprocessor ?? preprocessor;

export const soundOptions = ({ processor, preprocessor }: ModelFiles): unknown =>
  valueIn(processor, "feature_extractor") ?? preprocessor;
