import type { Foreign, Pointer } from "./foreign.ts";

export interface SamplingOptions {
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
  readonly repetitionPenalty: number;
  readonly frequencyPenalty: number;
  readonly presencePenalty: number;
  /** An unsigned 32-bit number. */
  readonly seed: number;
  /** How many of the last tokens penalties look at. */
  readonly penalised: number;
  readonly logitBias: readonly (readonly [token: number, bias: number])[];
  /** In GBNF, with the rule `root`. */
  readonly grammar: string | undefined;
}

/** A chain of llama.cpp's samplers: functions of `include/llama.h`. */
export interface Sampler {
  /** Null if the grammar is not valid. To be freed with `free`. */
  create(vocabulary: Pointer, vocabularySize: number, options: SamplingOptions): Pointer;
  /** A token of the prompt, for the penalties. */
  accept(sampler: Pointer, token: number): void;
  /** The token after the last one that was decoded; it is accepted. */
  sample(sampler: Pointer, context: Pointer): number;
  free(sampler: Pointer): void;
}

const AT_LEAST_ONE = 1;

export function samplerOf({ declare }: Foreign): Sampler {
  const defaults = declare("llama_sampler_chain_params llama_sampler_chain_default_params()");
  const chain = declare("void* llama_sampler_chain_init(llama_sampler_chain_params params)");
  const add = declare("void llama_sampler_chain_add(void* chain, void* sampler)");
  const first = declare("void* llama_sampler_chain_get(void* chain, int32 index)");
  const logitBias = declare(
    "void* llama_sampler_init_logit_bias(int32 n_vocab, int32 count, llama_logit_bias* bias)",
  );
  const grammar = declare("void* llama_sampler_init_grammar(void* vocabulary, str grammar, str root)");
  const penalties = declare(
    "void* llama_sampler_init_penalties(int32 last, float repeat, float frequency, float presence)",
  );
  const topK = declare("void* llama_sampler_init_top_k(int32 k)");
  const topP = declare("void* llama_sampler_init_top_p(float p, size_t min_keep)");
  const minP = declare("void* llama_sampler_init_min_p(float p, size_t min_keep)");
  const temperature = declare("void* llama_sampler_init_temp(float t)");
  const distribution = declare("void* llama_sampler_init_dist(uint32 seed)");
  const sample = declare("int32 llama_sampler_sample(void* sampler, void* context, int32 index)");
  const accept = declare("void llama_sampler_accept(void* sampler, int32 token)");
  return {
    create(vocabulary, vocabularySize, options) {
      const byGrammar =
        options.grammar === undefined ? undefined : grammar(vocabulary, options.grammar, "root");
      if (byGrammar === null) return null;
      const sampler = chain(defaults());
      // The first of the chain, so that tokens of the prompt can be told to it alone.
      const { penalised, repetitionPenalty, frequencyPenalty, presencePenalty } = options;
      add(sampler, penalties(penalised, repetitionPenalty, frequencyPenalty, presencePenalty));
      const bias = options.logitBias.map(([token, value]) => ({ token, bias: value }));
      if (bias.length > 0) add(sampler, logitBias(vocabularySize, bias.length, bias));
      if (byGrammar !== undefined) add(sampler, byGrammar);
      add(sampler, topK(options.topK));
      add(sampler, topP(options.topP, AT_LEAST_ONE));
      add(sampler, minP(options.minP, AT_LEAST_ONE));
      add(sampler, temperature(options.temperature));
      add(sampler, distribution(options.seed));
      return sampler;
    },
    accept: (sampler, token) => accept(first(sampler, 0), token),
    sample: (sampler, context) => sample(sampler, context, -1),
    free: declare("void llama_sampler_free(void* sampler)"),
  };
}
