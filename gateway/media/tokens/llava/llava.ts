import { repeated } from "../expansion.ts";
import type { Family } from "../family.ts";
import { textIn } from "../json.ts";
import { pixtralImage } from "../pixtral.ts";
import { imageToken } from "../placeholders.ts";
import { encoderOf } from "./encoder.ts";

/** LLaVA 1.5, whose images all take the same number of tokens, and Pixtral in Hugging Face's format. */
export const llava: Family = {
  name: "llava",
  architectures: ["LlavaForConditionalGeneration"],
  read(files) {
    if (textIn(files.config, "vision_config", "model_type") === "pixtral") return pixtralImage(files, {});
    const placeholder = imageToken(files.config);
    const encoder = encoderOf(files);
    if (placeholder === undefined || encoder === undefined) return undefined;
    return { image: { placeholder, expand: () => repeated(placeholder, encoder.tokens) } };
  },
};
