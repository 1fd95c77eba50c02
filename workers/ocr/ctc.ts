/** The token that separates characters; the dictionary's first is number 1. */
const BLANK = 0;

export interface ReadText {
  readonly text: string;
  /** The mean probability of the characters, 0 to 1; 0 if there are none. */
  readonly score: number;
}

/**
 * The characters that a recogniser knows, by their number.
 * @param file PaddleOCR's dictionary: a character a line; the space, which it lacks, comes last
 */
export function parseDictionary(file: string): string[] {
  const characters = file.split(/\r?\n/);
  if (characters.at(-1) === "") characters.pop();
  return ["", ...characters, " "];
}

/**
 * Reads the most probable character of each step, as PaddleOCR's `CTCLabelDecode` does: repetitions are one character unless a
 * blank is between them.
 * @param probabilities of each character, step by step
 */
export function decodeCtc(probabilities: Float32Array, characters: readonly string[]): ReadText {
  const size = characters.length;
  let [text, sum, count, before] = ["", 0, 0, BLANK];
  for (let from = 0; from < probabilities.length; from += size) {
    let best = 0;
    for (let index = 1; index < size; index++)
      if (probabilities[from + index]! > probabilities[from + best]!) best = index;
    if (best !== BLANK && best !== before) {
      text += characters[best];
      sum += probabilities[from + best]!;
      count++;
    }
    before = best;
  }
  return { text, score: count === 0 ? 0 : sum / count };
}
