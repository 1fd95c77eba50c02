import { type Logger, messageOf, PlaneError, type TokenPiece } from "#runtime";
import type { Delta, EngineMedium, EngineRequest } from "../../../engine.ts";
import type { Grammars } from "../../grammar/grammars.ts";
import { Trigger } from "../../grammar/trigger.ts";
import { logitBiasOf, seedOf } from "../../sampling.ts";
import { reusableLength, SequencePool, type SequenceSlot } from "../../sequence-pool.ts";
import { type MediaEncoder, undecodable } from "../encoding/media-encoder.ts";
import { type MediumPart, unpackParts } from "../medium-parts.ts";
import {
  type MediaPrompt,
  type MediumSize,
  mediaPromptOf,
  roomOf,
  sizeOf,
  type Unit,
  unitsBefore,
} from "./media-prompt.ts";
import type { NativeContext } from "./native-context.ts";
import { type Sampler, Samplers } from "./sampler.ts";
import { Scheduler } from "./scheduler.ts";
import { type AnsweredToken, TokenQueue } from "./token-queue.ts";
import { type AnswerEnd, Work } from "./work.ts";

interface MediaAnswersOptions {
  readonly native: NativeContext;
  readonly encoder: MediaEncoder;
  /** Longest prompt plus answer, in tokens. */
  readonly contextLength: number;
  readonly sequences: number;
  readonly grammars: Grammars;
  readonly vocabulary: readonly TokenPiece[];
  readonly log: Logger;
}

type Slot = SequenceSlot<number, Unit>;

/** What of a prompt a sequence holds, and what is to be computed. */
interface Plan {
  /** How much of the prompt the sequence holds. */
  readonly held: MediumSize;
  readonly parts: readonly MediumPart[];
  /** Of all media in the prompt. */
  readonly sizes: ReadonlyMap<Unit, MediumSize>;
  /** All tokens of the prompt, with those of its media. */
  readonly tokens: number;
}

/** Answers the prompts with media of a llama worker: several at once, each after the longest prefix that is computed. */
export class MediaAnswers {
  readonly #options: MediaAnswersOptions;
  readonly #pool: SequencePool<number, Unit>;
  /** For each slot, the sizes of the media that it holds. */
  readonly #sizes = new Map<Slot, ReadonlyMap<Unit, MediumSize>>();
  readonly #scheduler: Scheduler;
  readonly #samplers: Samplers;

  constructor(options: MediaAnswersOptions) {
    this.#options = options;
    this.#pool = new SequencePool(
      Array.from({ length: options.sequences }, (_, id) => id),
      (slot, units) => roomOf(slot.tokens.slice(0, units), this.#sizes.get(slot) ?? NO_SIZES).tokens,
    );
    this.#scheduler = new Scheduler(options.native);
    this.#samplers = new Samplers(options.native, options.vocabulary);
  }

  get running(): number {
    return this.#pool.running;
  }

  get waiting(): number {
    return this.#pool.waiting;
  }

  /** Frees the context; no request is running. */
  async close(): Promise<void> {
    await this.#scheduler.exclusively(() => this.#options.native.close());
    this.#samplers.close();
  }

  async *generate(request: EngineRequest, signal: AbortSignal): AsyncGenerator<Delta> {
    refuseUnsupported(request);
    if (request.maxTokens === 0) {
      yield await this.#measured(request, signal);
      return;
    }
    const prompt = mediaPromptOf(request);
    const slot = await this.#pool.acquire(prompt, signal);
    try {
      const plan = await this.#plan(slot, prompt, signal);
      const mediaTokens = plan.tokens - request.tokens.length;
      yield { tokenIds: [], cachedTokens: plan.held.tokens, mediaTokens };
      yield* this.#answer(slot, prompt, plan, request, signal);
    } finally {
      this.#pool.release(slot);
    }
  }

  /** How many tokens the media become. */
  async #measured({ media = [] }: EngineRequest, signal: AbortSignal): Promise<Delta> {
    let mediaTokens = 0;
    for (const [index, medium] of media.entries())
      mediaTokens += await naming(index, media.length, () => this.#options.encoder.measure(medium, signal));
    return { tokenIds: [], mediaTokens, finish: "length" };
  }

  /** Truncates the slot to what the prompt may use of it, and encodes the media that it does not hold. */
  async #plan(slot: Slot, prompt: MediaPrompt, signal: AbortSignal): Promise<Plan> {
    const units = prompt.tokens;
    // The last one is always computed: its logits give the answer's first token.
    const reusable = Math.min(reusableLength(slot, prompt), units.length - 1);
    const known = this.#sizes.get(slot) ?? NO_SIZES;
    const count = await this.#truncate(slot, reusable, roomOf(units.slice(0, reusable), known).positions);
    const held = roomOf(units.slice(0, count), known);
    const sizes = new Map<Unit, MediumSize>();
    for (const unit of units.slice(0, count)) if (known.has(unit)) sizes.set(unit, known.get(unit)!);
    slot.cacheSalt = prompt.cacheSalt;
    this.#sizes.set(slot, sizes);
    const parts: MediumPart[] = [];
    let from = count;
    for (const [at, medium] of prompt.media) {
      if (at < count) continue;
      addText(parts, units.slice(from, at));
      const encoded = await this.#encoded(prompt, at, medium, signal);
      sizes.set(units[at]!, sizeOf(encoded));
      parts.push(...encoded);
      from = at + 1;
    }
    addText(parts, units.slice(from));
    const { tokens } = roomOf(units, sizes);
    this.#checkLength(tokens);
    return { held, parts, sizes, tokens };
  }

  /** @returns how many units the slot still holds: a model may be able to forget only all */
  #truncate(slot: Slot, units: number, position: number): Promise<number> {
    return this.#scheduler.exclusively(() => {
      const kept = this.#options.native.truncate(slot.sequence, position) ? units : 0;
      slot.tokens = slot.tokens.slice(0, kept);
      return kept;
    });
  }

  async #encoded(
    prompt: MediaPrompt,
    at: number,
    medium: EngineMedium,
    signal: AbortSignal,
  ): Promise<MediumPart[]> {
    const { native, encoder, log } = this.#options;
    const read = (features: Uint8Array) => unpackParts(features, native.width, native.vocabularySize);
    if (medium.encoded !== undefined) {
      try {
        return read(medium.encoded);
      } catch (error) {
        // The medium itself is of use.
        log.warn("features of another worker are of no use", { reason: messageOf(error) });
      }
    }
    const id = `${prompt.cacheSalt ?? ""} ${prompt.tokens[at]}`;
    const index = [...prompt.media.keys()].indexOf(at);
    const features = await naming(index, prompt.media.size, () => encoder.featuresOf(medium, id, signal));
    return read(features);
  }

  #checkLength(tokens: number): void {
    const { contextLength } = this.#options;
    if (tokens < contextLength) return;
    throw new PlaneError(
      "invalid_request",
      `The prompt has ${tokens} tokens with its media; this model accepts 1 to ${contextLength - 1}.`,
    );
  }

  async *#answer(
    slot: Slot,
    prompt: MediaPrompt,
    plan: Plan,
    request: EngineRequest,
    signal: AbortSignal,
  ): AsyncGenerator<Delta> {
    const { native, contextLength } = this.#options;
    const sampler = await this.#sampler(request);
    const answer = new TokenQueue();
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
      const computed = hasFailed ? 0 : unitsBefore(work.position, units, plan.sizes);
      slot.tokens = units.slice(0, computed);
    }
  }

  async #sampler(request: EngineRequest): Promise<Sampler> {
    const { tokens, sampling, grammar, answered = 0 } = request;
    if (grammar !== undefined) this.#options.grammars.check(grammar.gbnf);
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
      for (const token of grammar === undefined ? [] : tokens.subarray(tokens.length - answered))
        if (!this.#options.native.isEnd(token)) await sampler.replay(token);
      return sampler;
    } catch (error) {
      sampler.free();
      throw error;
    }
  }
}

const NO_SIZES: ReadonlyMap<Unit, MediumSize> = new Map();

function addText(parts: MediumPart[], units: readonly Unit[]): void {
  const tokens = Int32Array.from(units.filter((unit) => typeof unit === "number"));
  if (tokens.length > 0) parts.push({ kind: "text", tokens });
}

/** Says in a refusal which of several media it is about. */
async function naming<Result>(index: number, count: number, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof PlaneError) || count === 1) throw error;
    throw new PlaneError(
      error.code,
      `Medium ${index + 1} of ${count} cannot be decoded: its content is damaged.`,
    );
  }
}

/** @throws PlaneError `invalid_request` for what prompts with media cannot have */
function refuseUnsupported(request: EngineRequest): void {
  const { media = [], echoLogprobs, loraName } = request;
  const refuse = (sentence: string): never => {
    throw new PlaneError("invalid_request", sentence);
  };
  for (const { kind, type } of media) {
    const obstacle = undecodable(kind, type);
    if (obstacle !== undefined) refuse(obstacle);
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
