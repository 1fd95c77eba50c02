import { type LlamaModel, type SequenceEvaluateOptions, type Token, TokenBias } from "node-llama-cpp";
import type { GenerateRequest } from "#runtime";

/**
 * Converts a request's sampling parameters for node-llama-cpp. Turns off its defaults (top-k 40, top-p 0.95), so that a
 * request without parameters samples from the model's whole distribution, as in OpenAI's API and vLLM.
 * @param generated the answer's tokens so far; read at every step
 */
export function samplingOptions(
  model: LlamaModel,
  request: GenerateRequest,
  prompt: readonly Token[],
  generated: readonly Token[],
): SequenceEvaluateOptions {
  const { sampling } = request;
  const options: SequenceEvaluateOptions = {
    temperature: sampling.temperature,
    topP: sampling.topP,
    topK: sampling.topK,
    minP: sampling.minP,
    seed: seedOf(sampling.seed),
    yieldEogToken: true,
  };
  if (sampling.logitBias.length > 0) {
    // A grammar can leave none but forbidden tokens, and llama.cpp must always have one to sample.
    const forbidden = request.grammar === undefined ? "never" : { logit: -10_000 };
    options.tokenBias = tokenBias(model, sampling.logitBias, forbidden);
  }
  const { frequencyPenalty, presencePenalty, repetitionPenalty } = sampling;
  if (frequencyPenalty !== 0 || presencePenalty !== 0 || repetitionPenalty !== 1) {
    // As in vLLM, repetition_penalty covers the prompt, the other two only the answer. llama.cpp has one list for all
    // three, so for a request that mixes them, all cover the prompt.
    const countsPrompt = repetitionPenalty !== 1;
    options.repeatPenalty = {
      punishTokens: () => (countsPrompt ? [...prompt, ...generated] : generated.slice()),
      maxPunishTokens: request.maxTokens + (countsPrompt ? prompt.length : 0),
      penalty: repetitionPenalty,
      frequencyPenalty,
      presencePenalty,
    };
  }
  return options;
}

/** llama.cpp needs a 32-bit seed; a request without one gets a random one. */
function seedOf(seed: number | undefined): number {
  if (seed === undefined) return crypto.getRandomValues(new Uint32Array(1))[0]!;
  return Number(BigInt.asUintN(32, BigInt(seed)));
}

function tokenBias(
  model: LlamaModel,
  biases: GenerateRequest["sampling"]["logitBias"],
  forbidden: "never" | { logit: number },
): TokenBias {
  const result = TokenBias.for(model);
  for (const [id, bias] of biases) result.set(id as Token, bias <= -100 ? forbidden : { logit: bias });
  return result;
}
