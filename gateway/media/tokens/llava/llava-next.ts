import { repeated, shownSize } from "../expansion.ts";
import type { Family } from "../family.ts";
import { imageToken } from "../placeholders.ts";
import { pinpoints, unpadded } from "./any-resolution.ts";
import { encoderOf } from "./encoder.ts";

/** LLaVA-NeXT (1.6): the whole image once, then its tiles with a token after each row (vLLM 0.32). */
export const llavaNext: Family = {
  name: "llava-next",
  architectures: ["LlavaNextForConditionalGeneration"],
  read(files) {
    const placeholder = imageToken(files.config);
    const encoder = encoderOf(files);
    if (placeholder === undefined || encoder === undefined) return undefined;
    const sizes = pinpoints(files.config);
    return {
      image: {
        placeholder,
        expand(info) {
          const tiles = unpadded(shownSize(info), sizes, encoder);
          return tiles && repeated(placeholder, encoder.tokens + tiles.height * (tiles.width + 1));
        },
      },
    };
  },
};
