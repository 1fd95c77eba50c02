import type { TokenLikelihood } from "./token-candidates.ts";

/** A token of an answer, with its log probability if those are wanted. */
export interface AnsweredToken extends Partial<TokenLikelihood> {
  readonly id: number;
}
