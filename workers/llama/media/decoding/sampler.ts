import { PlaneError, type TokenPiece } from "#runtime";
import type { Trigger } from "../../grammar/trigger.ts";
import type { Pointer } from "../native/foreign.ts";
import type { AnsweredToken } from "./answered-token.ts";
import type { NativeContext } from "./native-context.ts";
import { TokenCandidates } from "./token-candidates.ts";

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
  readonly grammar: SamplingGrammar | undefined;
}

/** What an answer keeps to. */
export interface SamplingGrammar {
  /** In GBNF, with the rule `root`. It must be valid: llama.cpp ends its process by some that are not. */
  readonly gbnf: string;
  /** It begins after that. */
  readonly trigger: Trigger;
}

/** Chains of llama.cpp's samplers, in the order in which node-llama-cpp has them: functions of `include/llama.h`. */
export class Samplers {
  readonly #native: NativeContext;
  readonly #functions: SamplerFunctions;
  readonly #candidates: TokenCandidates;
  readonly #vocabulary: readonly TokenPiece[];

  constructor(native: NativeContext, vocabulary: readonly TokenPiece[]) {
    this.#native = native;
    this.#functions = declareFunctions(native.foreign);
    this.#candidates = new TokenCandidates(native);
    this.#vocabulary = vocabulary;
  }

  /** To be freed. */
  create(options: SamplingOptions): Sampler {
    return new Sampler(this.#native, this.#functions, this.#candidates, this.#vocabulary, options);
  }

  /** No sampler is in use. */
  close(): void {
    this.#candidates.free();
  }
}

/** What an answer's tokens are chosen by. */
export class Sampler {
  readonly #native: NativeContext;
  readonly #functions: SamplerFunctions;
  readonly #candidates: TokenCandidates;
  readonly #vocabulary: readonly TokenPiece[];
  readonly #options: SamplingOptions;
  /** Tokens that penalties look at. */
  readonly #penalised: number[] = [];
  #chain: Pointer;
  /** In the chain. */
  #penalties: Pointer;
  /** In the chain, once it has begun. */
  #grammar: Pointer | undefined;

  constructor(
    native: NativeContext,
    functions: SamplerFunctions,
    candidates: TokenCandidates,
    vocabulary: readonly TokenPiece[],
    options: SamplingOptions,
  ) {
    this.#native = native;
    this.#functions = functions;
    this.#candidates = candidates;
    this.#vocabulary = vocabulary;
    this.#options = options;
    this.#build(options.grammar?.trigger.isFound === true);
  }

  /** Whether a grammar has begun. */
  get isConstrained(): boolean {
    return this.#grammar !== undefined;
  }

  /** Notes a token of the prompt for the penalties. */
  penalise(token: number): void {
    this.#penalised.push(token);
    this.#functions.accept(this.#penalties, token);
  }

  /** Notes a token of the answer that was sampled earlier. @throws PlaneError `invalid_request` if it does not fit the grammar */
  async replay(token: number): Promise<void> {
    if (this.#grammar === undefined) return this.#watch(token);
    this.#candidates.fillWith(token);
    await this.#functions.apply(this.#grammar, this.#candidates.pointer);
    if (!this.#candidates.isFirstPossible)
      throw new PlaneError("invalid_request", "What has been answered does not fit the grammar.");
    this.#functions.accept(this.#grammar, token);
  }

  /**
   * @param index the place in the last step of the token before it
   * @param logprobs how many of the most probable tokens come with it; undefined for no log probabilities
   */
  async sample(index: number, logprobs: number | undefined): Promise<AnsweredToken> {
    // A token that does not fit a grammar would end the process, and only candidates show whether one fits.
    if (logprobs === undefined && this.#grammar === undefined) {
      const id = await this.#native.sample(this.#chain, index);
      this.#watch(id);
      return { id };
    }
    this.#candidates.fill(this.#native.logits(index));
    await this.#functions.apply(this.#chain, this.#candidates.pointer);
    const chosen = this.#candidates.chosen(logprobs ?? 0);
    this.#functions.accept(this.#chain, chosen.id);
    this.#watch(chosen.id);
    return logprobs === undefined ? { id: chosen.id } : chosen;
  }

  free(): void {
    this.#functions.free(this.#chain);
  }

  /** Begins the grammar after the text that it comes after. */
  #watch(token: number): void {
    const trigger = this.#options.grammar?.trigger;
    this.#penalised.push(token);
    if (trigger === undefined || this.#grammar !== undefined) return;
    trigger.push(this.#vocabulary[token]!.bytes);
    if (!trigger.isFound) return;
    this.free();
    this.#build(true);
  }

  #build(isConstrained: boolean): void {
    const { init, add, accept } = this.#functions;
    const { logitBias, grammar, ...options } = this.#options;
    const { penalised, repetitionPenalty, frequencyPenalty, presencePenalty } = options;
    const { vocabulary, vocabularySize } = this.#native;
    this.#chain = init.chain(init.defaults());
    const bias = logitBias.map(([token, value]) => ({ token, bias: value }));
    if (bias.length > 0) add(this.#chain, init.logitBias(vocabularySize, bias.length, bias));
    this.#penalties = init.penalties(penalised, repetitionPenalty, frequencyPenalty, presencePenalty);
    add(this.#chain, this.#penalties);
    for (const token of this.#penalised) accept(this.#penalties, token);
    if (isConstrained && grammar !== undefined) {
      this.#grammar = init.grammar(vocabulary, grammar.gbnf, "root");
      add(this.#chain, this.#grammar);
    }
    for (const sampler of choosing(init, options)) add(this.#chain, sampler);
  }
}

function choosing(
  init: SamplerFunctions["init"],
  { temperature, topK, topP, minP, seed }: Omit<SamplingOptions, "logitBias" | "grammar">,
): Pointer[] {
  if (temperature === 0) return [init.greedy()];
  return [
    ...(topK > 0 ? [init.topK(topK)] : []),
    ...(topP < 1 ? [init.topP(topP, AT_LEAST_ONE)] : []),
    ...(minP > 0 ? [init.minP(minP, AT_LEAST_ONE)] : []),
    ...[init.temperature(temperature), init.distribution(seed)],
  ];
}

const AT_LEAST_ONE = 1;

type SamplerFunctions = ReturnType<typeof declareFunctions>;

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
