import type { RoutedCard } from "../workers.ts";

/**
 * Tokens of KV blocks that the requests of an engine that is full weigh together. An engine with few sequences (a CPU,
 * mostly) shares its speed among them, so that each more slows the others; one with hundreds hardly notices. With this,
 * and the default credits, one running request on an engine of four sequences outweighs a cached prefix of 500 tokens.
 */
const FULL_ENGINE_TOKENS = 96_000;

/** The default of `activeRequestWeight` for workers with this card, in blocks. */
export function requestWeight({ maxSequences, blockSize }: RoutedCard): number {
  return FULL_ENGINE_TOKENS / (maxSequences * blockSize);
}
