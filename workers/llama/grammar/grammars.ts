import { type Llama, LlamaGrammarEvaluationState, type LlamaModel, type Token } from "node-llama-cpp";
import { type GenerateRequest, PlaneError, type TokenPiece } from "#runtime";
import { acceptToken } from "./accept-token.ts";
import { checkGrammar } from "./check.ts";
import { GrammarError } from "./gbnf.ts";
import { Trigger } from "./trigger.ts";
import { type Characters, writableCharacters } from "./writable.ts";

type LlamaGrammar = Awaited<ReturnType<Llama["createGrammar"]>>;

/** Most grammars that are kept. Clients send the same few again and again. */
const MOST_KEPT = 32;

/** Makes the grammars of requests ready for llama.cpp. */
export class Grammars {
  readonly #llama: Llama;
  readonly #model: LlamaModel;
  readonly #vocabulary: readonly TokenPiece[];
  readonly #writable: Characters;
  /** By their texts, the most recently used last. */
  readonly #kept = new Map<string, LlamaGrammar>();

  constructor(llama: Llama, model: LlamaModel, vocabulary: readonly TokenPiece[]) {
    this.#llama = llama;
    this.#model = model;
    this.#vocabulary = vocabulary;
    this.#writable = writableCharacters(vocabulary);
  }

  /**
   * The grammar of a request, after the part of the answer that its prompt has.
   * @returns undefined if it has none
   * @throws PlaneError `invalid_request` if llama.cpp cannot use it
   */
  async forRequest({ grammar, tokens, answered = 0 }: GenerateRequest): Promise<AnswerGrammar | undefined> {
    if (grammar === undefined) return undefined;
    const compiled = await this.#compile(grammar.gbnf);
    const accept = (state: LlamaGrammarEvaluationState, token: Token) =>
      acceptToken(this.#llama, state, token);
    const begun = () => new LlamaGrammarEvaluationState({ model: this.#model, grammar: compiled });
    const result = new AnswerGrammar(new Trigger(grammar.after), begun, this.#vocabulary);
    for (const token of answered === 0 ? [] : (Array.from(tokens.subarray(-answered)) as Token[]))
      if (!this.#model.isEogToken(token)) result.replay(token, accept);
    return result;
  }

  /** @throws PlaneError `invalid_request` if llama.cpp cannot use it */
  check(gbnf: string): void {
    try {
      checkGrammar(gbnf, this.#writable);
    } catch (error) {
      if (!(error instanceof GrammarError)) throw error;
      throw new PlaneError("invalid_request", `The grammar is not valid. ${error.message}`);
    }
  }

  async #compile(gbnf: string): Promise<LlamaGrammar> {
    const known = this.#kept.get(gbnf);
    const compiled = known ?? (await this.#create(gbnf));
    this.#kept.delete(gbnf);
    this.#kept.set(gbnf, compiled);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= MOST_KEPT) break;
      this.#kept.delete(oldest);
    }
    return compiled;
  }

  async #create(gbnf: string): Promise<LlamaGrammar> {
    this.check(gbnf);
    return this.#llama.createGrammar({ grammar: gbnf }).catch((cause: unknown) => {
      throw new PlaneError("invalid_request", "The grammar is not valid: llama.cpp cannot read it.", {
        cause,
      });
    });
  }
}

/** A grammar while it constrains one answer. */
export class AnswerGrammar {
  readonly #trigger: Trigger;
  readonly #begin: () => LlamaGrammarEvaluationState;
  readonly #vocabulary: readonly TokenPiece[];
  #state: LlamaGrammarEvaluationState | undefined;

  constructor(trigger: Trigger, begin: () => LlamaGrammarEvaluationState, vocabulary: readonly TokenPiece[]) {
    this.#trigger = trigger;
    this.#begin = begin;
    this.#vocabulary = vocabulary;
  }

  /** What llama.cpp samples by, and advances; undefined until the answer has what the grammar comes after. */
  get state(): LlamaGrammarEvaluationState | undefined {
    if (this.#trigger.isFound) this.#state ??= this.#begin();
    return this.#state;
  }

  /** Notes a token that has just been sampled. */
  push(token: Token): void {
    this.#trigger.push(this.#vocabulary[token]!.bytes);
  }

  /** Notes a token that another worker has sampled. */
  replay(token: Token, accept: (state: LlamaGrammarEvaluationState, token: Token) => void): void {
    const { state } = this;
    if (state === undefined) this.push(token);
    else accept(state, token);
  }
}
