import { type Logger, PlaneError, type TokenPiece } from "#runtime";
import { Arrivals } from "../../../arrivals.ts";
import type { Delta, EngineRequest } from "../../../engine.ts";
import type { Grammars } from "../../grammar/grammars.ts";
import { Trigger } from "../../grammar/trigger.ts";
import { logitBiasOf, seedOf } from "../../sampling.ts";
import type { ThreadConsumer } from "../../thread-shares.ts";
import { type MediaEncoder, undecodable } from "../encoding/media-encoder.ts";
import type { AnsweredToken } from "./answered-token.ts";
import { type MediaPrompt, mediaPromptOf } from "./media-prompt.ts";
import { MediaSequences, type MediaSlot, type Plan } from "./media-sequences.ts";
import type { NativeContext } from "./native-context.ts";
import { type Sampler, Samplers } from "./sampler.ts";
import { Scheduler } from "./scheduler.ts";
import { type AnswerEnd, Work } from "./work.ts";

interface MediaAnswersOptions {
  readonly native: NativeContext;
  readonly encoder: MediaEncoder;
  /** Longest prompt plus answer, in tokens. */
  readonly contextLength: number;
  readonly sequences: number;
  readonly grammars: Grammars;
  readonly vocabulary: readonly TokenPiece[];
  /** Called whenever it begins to compute. */
  threads(): ThreadConsumer;
  readonly log: Logger;
}

/** Answers the prompts with media of a llama worker: several at once, each after the longest prefix that is computed. */
export class MediaAnswers {
  readonly #options: MediaAnswersOptions;
  readonly #sequences: MediaSequences;
  readonly #scheduler: Scheduler;
  readonly #samplers: Samplers;

  constructor(options: MediaAnswersOptions) {
    this.#options = options;
    this.#scheduler = new Scheduler(options.native, options.threads);
    this.#sequences = new MediaSequences(options, this.#scheduler);
    this.#samplers = new Samplers(options.native, options.vocabulary);
  }

  get running(): number {
    return this.#sequences.running;
  }

  get waiting(): number {
    return this.#sequences.waiting;
  }

  /** Frees the context; no request is running. */
  async close(): Promise<void> {
    await this.#scheduler.exclusively(() => this.#options.native.close());
    this.#samplers.close();
  }

  async *generate(request: EngineRequest, signal: AbortSignal): AsyncGenerator<Delta> {
    refuseUnsupported(request);
    if (request.maxTokens === 0) {
      const mediaTokens = await this.#sequences.measure(request, signal);
      yield { tokenIds: [], mediaTokens, finish: "length" };
      return;
    }
    // Before anything is encoded.
    if (request.grammar !== undefined) this.#options.grammars.check(request.grammar.gbnf);
    const prompt = mediaPromptOf(request);
    const slot = await this.#sequences.acquire(prompt, signal);
    try {
      const plan = await this.#sequences.plan(slot, prompt, signal);
      const mediaTokens = plan.tokens - request.tokens.length;
      yield { tokenIds: [], cachedTokens: plan.held.tokens, mediaTokens };
      yield* this.#answer(slot, prompt, plan, request, signal);
    } finally {
      this.#sequences.release(slot);
    }
  }

  async *#answer(
    slot: MediaSlot,
    prompt: MediaPrompt,
    plan: Plan,
    request: EngineRequest,
    signal: AbortSignal,
  ): AsyncGenerator<Delta> {
    const { native, contextLength } = this.#options;
    const sampler = await this.#sampler(request);
    const answer = new Arrivals<AnsweredToken>();
    const left = new AbortController();
    const stopTokens = new Set(request.stopTokenIds);
    // After the end of a grammar, nothing else can come.
    const canEnd = () => !request.ignoreEos || sampler.isConstrained;
    const units = [...prompt.tokens];
    const work = new Work({
      ...{ sequence: slot.sequence, parts: plan.parts, position: plan.held.positions, sampler },
      maxTokens: Math.min(request.maxTokens, contextLength - plan.tokens),
      logprobs: request.logprobs,
      signal: AbortSignal.any([signal, left.signal]),
      isEnd: (token) => stopTokens.has(token) || (canEnd() && native.isEnd(token)),
      onToken(token) {
        units.push(token.id);
        answer.push(token);
      },
    });
    const ended = this.#scheduler.run(work).finally(() => answer.end());
    // If nobody reads on, nobody awaits it here.
    ended.catch(() => {});
    try {
      for await (const tokens of answer) if (!signal.aborted) yield deltaOf(tokens);
      const end = await ended;
      if (!signal.aborted) yield lastDelta(end);
    } finally {
      left.abort();
      const hasFailed = await ended.then(
        () => false,
        () => true,
      );
      sampler.free();
      this.#sequences.settle(slot, units, hasFailed ? 0 : work.position);
    }
  }

  async #sampler(request: EngineRequest): Promise<Sampler> {
    const { tokens, sampling, grammar, answered = 0 } = request;
    const sampler = this.#samplers.create({
      ...sampling,
      seed: seedOf(sampling.seed),
      logitBias: logitBiasOf(request),
      penalised: this.#options.contextLength,
      grammar: grammar && { gbnf: grammar.gbnf, trigger: new Trigger(grammar.after) },
    });
    try {
      // As in vLLM, `repetition_penalty` covers the prompt; llama.cpp has one list for all penalties.
      if (sampling.repetitionPenalty !== 1) for (const token of tokens) sampler.penalise(token);
      const replayed = grammar === undefined ? [] : tokens.subarray(tokens.length - answered);
      // Steps choose tokens in the same memory.
      await this.#scheduler.exclusively(async () => {
        for (const token of replayed) if (!this.#options.native.isEnd(token)) await sampler.replay(token);
      });
      return sampler;
    } catch (error) {
      sampler.free();
      throw error;
    }
  }
}

/** @throws PlaneError `invalid_media` or `invalid_request` for what prompts with media cannot have */
function refuseUnsupported(request: EngineRequest): void {
  const { media = [], echoLogprobs, loraName } = request;
  const refuse = (sentence: string): never => {
    throw new PlaneError("invalid_request", sentence);
  };
  for (const [medium, { kind, type }] of media.entries()) {
    const obstacle = undecodable(kind, type);
    if (obstacle !== undefined) throw new PlaneError("invalid_media", obstacle, { medium });
  }
  if (echoLogprobs)
    refuse("This model's worker has no log probabilities of the prompt's tokens if it has media.");
  if (loraName !== undefined)
    refuse("This model's worker computes prompts with media without LoRA adapters.");
}

function deltaOf(tokens: readonly AnsweredToken[]): Delta {
  const tokenIds = tokens.map(({ id }) => id);
  const logprobs = tokens.flatMap(({ logprob, top }) =>
    logprob === undefined || top === undefined ? [] : [{ logprob, top }],
  );
  return { tokenIds, ...(logprobs.length > 0 && { logprobs }) };
}

const lastDelta = ({ finish, stopToken }: AnswerEnd): Delta => ({
  ...{ tokenIds: [], finish },
  ...(stopToken !== undefined && { stopToken }),
});
