import { type ModelCard, PlaneError, type PromptMedium, type TokenPiece } from "#runtime";
import { MARKER } from "./binding.ts";

/** How a model's tokenizer reads text. */
export interface TextRules extends Pick<ModelCard, "addBos" | "bosTokenId"> {
  readonly vocabulary: readonly TokenPiece[];
  /** Whether it puts a space in front of text at the beginning and after control tokens, as SentencePiece does. */
  readonly addsSpaces: boolean;
}

/**
 * The text of a prompt, from which llama.cpp makes the same tokens, with a marker in the place of each medium.
 * @throws PlaneError `invalid_request` if the prompt itself has a marker
 */
export function promptText(
  tokens: Uint32Array,
  media: readonly Pick<PromptMedium, "position">[],
  rules: TextRules,
): string {
  const texts: string[] = [];
  // llama.cpp adds the beginning-of-sequence token itself.
  let from = rules.addBos && tokens[0] === rules.bosTokenId ? 1 : 0;
  for (const position of [...media.map((medium) => medium.position), tokens.length]) {
    texts.push(textOf(tokens.subarray(from, position), rules));
    from = Math.max(from, position);
  }
  if (texts.some((text) => text.includes(MARKER)))
    throw new PlaneError("invalid_request", `The text '${MARKER}' cannot be in a prompt with media.`);
  return texts.join(MARKER);
}

const SPACE = 0x20;

function textOf(tokens: Uint32Array, { vocabulary, addsSpaces }: TextRules): string {
  let isStart = true;
  const pieces = Array.from(tokens, (id) => {
    const { bytes, control = false } = vocabulary[id]!;
    const hasAdded = addsSpaces && isStart && !control && bytes[0] === SPACE;
    isStart = control;
    return hasAdded ? bytes.subarray(1) : bytes;
  });
  return decoder.decode(Buffer.concat(pieces));
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
