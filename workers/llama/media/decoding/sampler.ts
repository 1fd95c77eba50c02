import type { Pointer } from "../native/foreign.ts";
import type { NativeContext } from "./native-context.ts";
import { TokenCandidates, type TokenLikelihood } from "./token-candidates.ts";

export interface SamplingOptions {
  /** 0 always chooses the most probable token. */
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

/** What an answer's tokens are chosen by. To be freed. */
export interface Sampler {
  /** A token of the prompt, for the penalties. */
  accept(token: number): void;
  /** A token by the logits at a place of the last step. */
  sample(index: number): Promise<number>;
  /** The same with its log probability. @param count of the most probable tokens to give */
  sampleLikely(index: number, count: number): Promise<{ readonly id: number } & TokenLikelihood>;
  free(): void;
}

/** Chains of llama.cpp's samplers, in the order in which node-llama-cpp has them: functions of `include/llama.h`. */
export class Samplers {
  readonly #native: NativeContext;
  readonly #functions: ReturnType<typeof declareFunctions>;
  readonly #candidates: TokenCandidates;

  constructor(native: NativeContext) {
    this.#native = native;
    this.#functions = declareFunctions(native.foreign);
    this.#candidates = new TokenCandidates(native);
  }

  /** @returns undefined if the grammar is not valid */
  create(options: SamplingOptions): Sampler | undefined {
    const { init, add, free, accept, apply } = this.#functions;
    const { vocabulary, vocabularySize } = this.#native;
    const { grammar, penalised, repetitionPenalty, frequencyPenalty, presencePenalty } = options;
    const byGrammar = grammar === undefined ? undefined : init.grammar(vocabulary, grammar, "root");
    if (byGrammar === null) return undefined;
    const chain = init.chain(init.defaults());
    const bias = options.logitBias.map(([token, value]) => ({ token, bias: value }));
    if (bias.length > 0) add(chain, init.logitBias(vocabularySize, bias.length, bias));
    const penalties = init.penalties(penalised, repetitionPenalty, frequencyPenalty, presencePenalty);
    add(chain, penalties);
    if (byGrammar !== undefined) add(chain, byGrammar);
    for (const sampler of this.#choosing(options)) add(chain, sampler);
    return {
      accept: (token) => accept(penalties, token),
      sample: (index) => this.#native.sample(chain, index),
      sampleLikely: async (index, count) => {
        this.#candidates.fill(this.#native.logits(index));
        await apply(chain, this.#candidates.pointer);
        const chosen = this.#candidates.chosen(count);
        accept(chain, chosen.id);
        return chosen;
      },
      free: () => free(chain),
    };
  }

  /** No sampler is in use. */
  close(): void {
    this.#candidates.free();
  }

  #choosing({ temperature, topK, topP, minP, seed }: SamplingOptions): Pointer[] {
    const { init } = this.#functions;
    if (temperature === 0) return [init.greedy()];
    return [
      ...(topK > 0 ? [init.topK(topK)] : []),
      ...(topP < 1 ? [init.topP(topP, AT_LEAST_ONE)] : []),
      ...(minP > 0 ? [init.minP(minP, AT_LEAST_ONE)] : []),
      ...[init.temperature(temperature), init.distribution(seed)],
    ];
  }
}

const AT_LEAST_ONE = 1;

function declareFunctions({ declare, declareSlow }: NativeContext["foreign"]) {
  return {
    init: {
      defaults: declare("llama_sampler_chain_params llama_sampler_chain_default_params()"),
      chain: declare("void* llama_sampler_chain_init(llama_sampler_chain_params params)"),
      logitBias: declare(
        "void* llama_sampler_init_logit_bias(int32 n_vocab, int32 count, llama_logit_bias* bias)",
      ),
      penalties: declare(
        "void* llama_sampler_init_penalties(int32 last, float repeat, float frequency, float presence)",
      ),
      grammar: declare("void* llama_sampler_init_grammar(void* vocabulary, str grammar, str root)"),
      greedy: declare("void* llama_sampler_init_greedy()"),
      topK: declare("void* llama_sampler_init_top_k(int32 k)"),
      topP: declare("void* llama_sampler_init_top_p(float p, size_t min_keep)"),
      minP: declare("void* llama_sampler_init_min_p(float p, size_t min_keep)"),
      temperature: declare("void* llama_sampler_init_temp(float t)"),
      distribution: declare("void* llama_sampler_init_dist(uint32 seed)"),
    },
    add: declare("void llama_sampler_chain_add(void* chain, void* sampler)"),
    accept: declare("void llama_sampler_accept(void* sampler, int32 token)"),
    apply: declareSlow("void llama_sampler_apply(void* sampler, void* candidates)"),
    free: declare("void llama_sampler_free(void* sampler)"),
  };
}
