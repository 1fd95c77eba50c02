import { joined } from "../expansion.ts";
import type { Family } from "../family.ts";
import { isTrueIn, positiveIn } from "../json.ts";
import { imageOptions } from "../processors.ts";
import { newlineMerges, singleToken } from "./newlines.ts";

/** Gemma 3 without pan and scan, whose images all take the same tokens (vLLM 0.32, `Gemma3MultiModalProcessor`). */
export const gemma3: Family = {
  name: "gemma3",
  architectures: ["Gemma3ForConditionalGeneration"],
  read(files) {
    const [start, end, image] = ["<start_of_image>", "<end_of_image>", "<image_soft_token>"].map((text) =>
      files.tokenId(text),
    );
    const blank = singleToken(files, "\n\n");
    if (start === undefined || end === undefined || image === undefined || blank === undefined)
      return undefined;
    const count = positiveIn(files.processor, "image_seq_length") ?? 256;
    // With pan and scan, parts of an image follow it, with text between them.
    const isWhole = !isTrueIn(imageOptions(files), "do_pan_and_scan");
    const pads = { token: image, count };
    const expand = () => (isWhole ? joined([[blank, start], pads, [end, blank]]) : undefined);
    return { image: { placeholder: start, expand }, merges: newlineMerges(files) };
  },
};
