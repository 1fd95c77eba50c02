/** Control tokens after the 256 bytes, in the order of their ids. */
export const CONTROL_TOKENS: readonly string[] = ["<|im_start|>", "<|im_end|>", "<|endoftext|>"];

export const END_OF_TURN = 257;
export const VOCABULARY_SIZE = 256 + CONTROL_TOKENS.length;

const utf8 = new TextEncoder();
const controlPattern = /(<\|im_start\|>|<\|im_end\|>|<\|endoftext\|>)/;

/** One token per byte, and one per control token spelled out in the text. */
export function tokenize(text: string): number[] {
  const ids: number[] = [];
  for (const part of text.split(controlPattern)) {
    const control = CONTROL_TOKENS.indexOf(part);
    if (control >= 0) ids.push(256 + control);
    else for (const byte of utf8.encode(part)) ids.push(byte);
  }
  return ids;
}

/** The text of token ids, with control tokens spelled out. */
export function detokenize(ids: readonly number[]): string {
  const bytes = ids.flatMap((id) => (id < 256 ? [id] : [...utf8.encode(CONTROL_TOKENS[id - 256] ?? "")]));
  return new TextDecoder().decode(Uint8Array.from(bytes));
}
