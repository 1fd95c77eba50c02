/** The token that separates characters; the dictionary's first is number 1. */
const BLANK = 0;

export interface ReadText {
  /** Without spaces at its ends. */
  readonly text: string;
  /** The mean probability of the characters but spaces, 0 to 1; 0 if there are none. */
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
 * A space wins a step if it is this many times as probable as it seems. The network was taught on Chinese and is shy of spaces:
 * on English pages nineteen of twenty that it leaves out come back, and none comes where there is none.
 */
const SPACE_FAVOUR = 20;

/**
 * Reads the most probable character of each step, as PaddleOCR's `CTCLabelDecode` does: repetitions are one character unless a
 * blank is between them.
 * @param probabilities of each character, step by step
 */
export function decodeCtc(probabilities: Float32Array, characters: readonly string[]): ReadText {
  const size = characters.length;
  let [text, sum, count, before] = ["", 0, 0, BLANK];
  for (let from = 0; from < probabilities.length; from += size) {
    const best = bestOf(probabilities, from, size);
    if (best !== BLANK && best !== before) {
      text += characters[best];
      if (best < size - 1) {
        sum += probabilities[from + best]!;
        count++;
      }
    }
    before = best;
  }
  return { text: text.replace(/ +/g, " ").trim(), score: count === 0 ? 0 : sum / count };
}

/** The last character is the space. */
function bestOf(probabilities: Float32Array, from: number, size: number): number {
  const space = size - 1;
  let best = 0;
  for (let index = 1; index < space; index++)
    if (probabilities[from + index]! > probabilities[from + best]!) best = index;
  return probabilities[from + space]! * SPACE_FAVOUR > probabilities[from + best]! ? space : best;
}
