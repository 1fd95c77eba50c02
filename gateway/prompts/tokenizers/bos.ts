import type { ModelCard } from "#runtime";

/** The prompt with the beginning-of-sequence token in front, where the model wants one and has none yet. */
export function withBos(tokens: Uint32Array, card: ModelCard): Uint32Array {
  const bos = card.bosTokenId;
  if (!card.addBos || bos === undefined || tokens[0] === bos) return tokens;
  const all = new Uint32Array(tokens.length + 1);
  all[0] = bos;
  all.set(tokens, 1);
  return all;
}
