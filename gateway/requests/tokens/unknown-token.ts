import type { DeltaDecoder } from "#runtime";

/**
 * The first token id in a message that is outside the vocabulary, and therefore has no text; undefined if there is
 * none. Checks the tokens, their alternatives and the token that ends the answer.
 */
export function findUnknownToken(message: DeltaDecoder, vocabularySize: number): number | undefined {
  for (let index = 0; index < message.count; index++) {
    if (message.tokens[index]! >= vocabularySize) return message.tokens[index];
    for (let rank = 0; rank < message.topCount(index); rank++) {
      if (message.topId(index, rank) >= vocabularySize) return message.topId(index, rank);
    }
  }
  return (message.stopToken ?? 0) >= vocabularySize ? message.stopToken : undefined;
}
