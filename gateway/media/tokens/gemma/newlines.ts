import type { Merge, ModelFiles } from "../family.ts";

/** Gemma's tokenizer has single tokens for several newlines; expansions that end in two meet those of the text. */
export function newlineMerges(files: ModelFiles): Merge[] {
  const [one, two, three, four] = ["\n", "\n\n", "\n\n\n", "\n\n\n\n"].map((text) =>
    singleToken(files, text),
  );
  if (one === undefined || two === undefined || three === undefined || four === undefined) return [];
  return [
    { left: one, right: two, into: three },
    { left: two, right: one, into: three },
    { left: two, right: two, into: four },
  ];
}

/** The token that is just this text. */
export function singleToken(files: ModelFiles, text: string): number | undefined {
  const encoded = files.encode(text);
  return files.tokenId(text) ?? (encoded?.length === 1 ? encoded[0] : undefined);
}
