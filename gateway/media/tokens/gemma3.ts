import { joined } from "./expansion.ts";
import type { Family, Merge, ModelFiles } from "./family.ts";
import { isTrueIn, positiveIn } from "./json.ts";
import { imageOptions } from "./processors.ts";

/** Gemma 3 without pan and scan, whose images all take the same tokens (vLLM 0.32, `Gemma3MultiModalProcessor`). */
export const gemma3: Family = {
  name: "gemma3",
  architectures: ["Gemma3ForConditionalGeneration"],
  read(files) {
    const [start, end, image] = ["<start_of_image>", "<end_of_image>", "<image_soft_token>"].map((text) =>
      files.tokenId(text),
    );
    const blank = single(files, "\n\n");
    if (start === undefined || end === undefined || image === undefined || blank === undefined)
      return undefined;
    const count = positiveIn(files.processor, "image_seq_length") ?? 256;
    // With pan and scan, parts of an image follow it, with text between them.
    const isWhole = !isTrueIn(imageOptions(files), "do_pan_and_scan");
    const pads = new Uint32Array(count).fill(image);
    const expand = () => (isWhole ? joined([[blank, start], pads, [end, blank]]) : undefined);
    return { image: { placeholder: start, expand }, merges: newlines(files) };
  },
};

/** The tokenizer has single tokens for up to four newlines and more. */
function newlines(files: ModelFiles): Merge[] {
  const [one, two, three, four] = ["\n", "\n\n", "\n\n\n", "\n\n\n\n"].map((text) => single(files, text));
  if (one === undefined || two === undefined || three === undefined || four === undefined) return [];
  return [
    { left: one, right: two, into: three },
    { left: two, right: one, into: three },
    { left: two, right: two, into: four },
  ];
}

/** The token that is just this text. */
function single(files: ModelFiles, text: string): number | undefined {
  const encoded = files.encode(text);
  return files.tokenId(text) ?? (encoded?.length === 1 ? encoded[0] : undefined);
}
