import type { DeltaDecoder } from "#runtime";

/**
 * The first token id of a message, among the tokens, their alternatives and the token that ends the answer, that is
 * not below the vocabulary's size; undefined where all are. Nothing can be said of such a token: it has no text.
 */
export function findForeignToken(message: DeltaDecoder, vocabularySize: number): number | undefined {
  for (let index = 0; index < message.count; index++) {
    if (message.tokens[index]! >= vocabularySize) return message.tokens[index];
    for (let rank = 0; rank < message.topCount(index); rank++) {
      if (message.topId(index, rank) >= vocabularySize) return message.topId(index, rank);
    }
  }
  return (message.stopToken ?? 0) >= vocabularySize ? message.stopToken : undefined;
}
