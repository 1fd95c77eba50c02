import type { RoutedCard } from "../workers.ts";

/**
 * Total weight of the requests of a full engine, in tokens. An engine with few sequences (usually on a CPU) shares its
 * speed among them, so each request slows the others down; an engine with hundreds hardly does. With this weight and
 * the default credits, one running request on an engine with four sequences outweighs a cached prefix of 500 tokens.
 */
const FULL_ENGINE_TOKENS = 96_000;

/** The default of `activeRequestWeight` for workers with this card, in blocks. */
export function requestWeight({ maxSequences, blockSize }: RoutedCard): number {
  return FULL_ENGINE_TOKENS / (maxSequences * blockSize);
}
