import type { Llama, LlamaGrammarEvaluationState, Token } from "node-llama-cpp";
import { callMember, member } from "../internals.ts";

/**
 * Advances a grammar by a token that it has not sampled. node-llama-cpp (3.22) only does so itself, for a draft model's
 * tokens; what it calls for that is not public.
 * @throws Error if the token does not fit the grammar
 */
export function acceptToken(llama: Llama, state: LlamaGrammarEvaluationState, token: Token): void {
  const sampler = member(member(llama, "_bindings"), "AddonSampler");
  const native = member(state, "_state");
  if (native === undefined) throw new Error(UNABLE);
  callMember(sampler, "acceptGrammarEvaluationStateToken", [native, token], UNABLE);
}

const UNABLE = "This version of node-llama-cpp cannot advance a grammar.";
