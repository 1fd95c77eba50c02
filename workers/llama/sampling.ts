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
  const biases = logitBiasOf(request);
  if (biases.length > 0) options.tokenBias = tokenBias(model, biases);
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

/** What is added to the logits of single tokens. A bias of -100 or less forbids a token. */
export function logitBiasOf({
  sampling,
  grammar,
}: Pick<GenerateRequest, "sampling" | "grammar">): [token: number, bias: number][] {
  // A grammar can leave none but forbidden tokens, and llama.cpp must always have one to sample.
  const forbidden = grammar === undefined ? Number.NEGATIVE_INFINITY : -10_000;
  return sampling.logitBias.map(([id, bias]) => [id, bias <= -100 ? forbidden : bias]);
}

/** llama.cpp needs a 32-bit seed; a request without one gets a random one. */
export function seedOf(seed: number | undefined): number {
  if (seed === undefined) return crypto.getRandomValues(new Uint32Array(1))[0]!;
  return Number(BigInt.asUintN(32, BigInt(seed)));
}

function tokenBias(model: LlamaModel, biases: readonly (readonly [number, number])[]): TokenBias {
  const result = TokenBias.for(model);
  for (const [id, bias] of biases)
    result.set(id as Token, bias === Number.NEGATIVE_INFINITY ? "never" : { logit: bias });
  return result;
}
