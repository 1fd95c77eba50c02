import { joined } from "../expansion.ts";
import type { Family, MediaExpansion, ModelFiles } from "../family.ts";
import { positiveIn } from "../json.ts";
import { newlineMerges, singleToken } from "./newlines.ts";

/** Gemma 3n: any image and any sound take the same tokens (vLLM 0.32, `Gemma3nMultiModalProcessor`). */
export const gemma3n: Family = {
  name: "gemma3n",
  architectures: ["Gemma3nForConditionalGeneration"],
  read: (files) => ({
    image: fixed(files, "image", positiveIn(files.processor, "image_seq_length") ?? 256),
    audio: fixed(files, "audio", positiveIn(files.processor, "audio_seq_length") ?? 188),
    merges: newlineMerges(files),
  }),
};

function fixed(
  files: ModelFiles,
  kind: "image" | "audio",
  count: number,
): { placeholder: number; expand(): MediaExpansion | undefined } | undefined {
  const names = [`<start_of_${kind}>`, `<end_of_${kind}>`, `<${kind}_soft_token>`];
  const [start, end, placeholder] = names.map((text) => files.tokenId(text));
  const blank = singleToken(files, "\n\n");
  if (start === undefined || end === undefined || placeholder === undefined || blank === undefined)
    return undefined;
  const pads = { token: placeholder, count };
  return { placeholder, expand: () => joined([[blank, start], pads, [end, blank]]) };
}
