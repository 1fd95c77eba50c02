import type { DeltaDecoder, Warnings } from "#runtime";
import { unknownToken } from "../../kernel/errors.ts";
import type { WorkerMember } from "../../models/members/member.ts";
import type { Life } from "../life.ts";
import type { TokenJob } from "./job.ts";

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

/** Fails the request because its worker has sent an unknown token. */
export function reportUnknownToken(
  life: Life<WorkerMember>,
  token: number,
  { requestId, model: { card } }: TokenJob,
  warnings: Warnings,
): void {
  const { name } = life.route!.worker.instance;
  warnings.warn(`${name} unknown token`, "a worker sent a token id outside its model's vocabulary", {
    request: requestId,
    worker: name,
    token,
    model: card.name,
    vocabularySize: card.vocabularySize,
  });
  life.fail(unknownToken(name, token, card));
}
