import { joined, shownSize } from "./expansion.ts";
import type { Family, Media, ModelFiles } from "./family.ts";
import { positiveIn } from "./json.ts";
import { imageToken } from "./placeholders.ts";
import { imageOptions } from "./processors.ts";

/** Mistral 3 in Hugging Face's format (vLLM 0.32, `Mistral3MultiModalProcessor`). */
export const mistral3: Family = {
  name: "mistral3",
  architectures: ["Mistral3ForConditionalGeneration"],
  read: (files) =>
    pixtralImage(files, {
      longest: positiveIn(imageOptions(files), "size", "longest_edge") ?? 1_024,
      merge: positiveIn(files.config, "spatial_merge_size") ?? 1,
    }),
};

/**
 * An image becomes rows of tokens, each with a token after it (vLLM 0.32, `PixtralHFEncoderInfo`).
 * @param longest side of the largest image, in pixels, if it is not the encoder's
 * @param merge patches along the sides of the square that becomes one token
 */
export function pixtralImage(
  files: ModelFiles,
  { longest, merge = 1 }: { longest?: number; merge?: number },
): Media | undefined {
  const { config } = files;
  const placeholder = imageToken(config);
  const [rowEnd, imageEnd] = [files.tokenId("[IMG_BREAK]"), files.tokenId("[IMG_END]")];
  if (placeholder === undefined || rowEnd === undefined || imageEnd === undefined) return undefined;
  const most = longest ?? positiveIn(config, "vision_config", "image_size") ?? 1_024;
  const side = (positiveIn(config, "vision_config", "patch_size") ?? 16) * merge;
  return {
    image: {
      placeholder,
      expand(info) {
        const { width, height } = shownSize(info);
        const ratio = Math.max(width / most, height / most, 1);
        const [columns, rows] = [width, height].map((length) => Math.ceil(Math.floor(length / ratio) / side));
        if (!columns || !rows) return undefined;
        const row = { token: placeholder, count: columns };
        return joined(
          Array.from({ length: rows }, (_, index) => [row, [index < rows - 1 ? rowEnd : imageEnd]]).flat(),
        );
      },
    },
  };
}
