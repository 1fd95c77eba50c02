import type { LlamaContext, LlamaContextSequence, LlamaModel, Token } from "node-llama-cpp";
import { type GenerateRequest, type KvEvent, type Logger, messageOf } from "#runtime";
import { type BlockSalt, blockSaltOf } from "../block-salt.ts";
import type { Delta, Engine, Prefilled } from "../engine.ts";
import type { KvImport } from "../kv/types.ts";
import { BLOCK_SIZE } from "./card.ts";
import type { AnswerGrammar, Grammars } from "./grammar/grammars.ts";
import { KvBlocks } from "./kv-blocks.ts";
import { generateTokens, promptLogprobs } from "./logprobs.ts";
import { samplingOptions } from "./sampling.ts";
import { reusableLength, SequencePool, type SequenceSlot, type SlotPrompt } from "./sequence-pool.ts";
import { checkState, StateFile } from "./state-file.ts";

/** Prompt tokens evaluated at once while other sequences generate; their tokens wait meanwhile. */
const SHARED_PREFILL_CHUNK = 128;

/** What the contexts of a model share. */
export interface SharedParts {
  readonly model: LlamaModel;
  readonly grammars: Grammars;
  readonly log: Logger;
  /** Publishes changes of a context's cache. */
  publish(events: KvEvent[]): void;
}

/** Answers with one context of a model: that of the model itself, or of a LoRA adapter. */
export class ContextEngine implements Pick<Engine, "generate" | "exportKv" | "importKv"> {
  readonly #context: LlamaContext;
  readonly #model: LlamaModel;
  readonly #log: Logger;
  readonly #pool: SequencePool<LlamaContextSequence, Token>;
  readonly #blocks: KvBlocks;
  readonly #grammars: Grammars;

  /** @param loraName the adapter with which the context computes, if any */
  constructor(context: LlamaContext, { model, grammars, log, publish }: SharedParts, loraName?: string) {
    this.#context = context;
    this.#model = model;
    this.#log = log;
    this.#pool = new SequencePool(
      Array.from({ length: context.totalSequences }, () => context.getSequence()),
    );
    this.#blocks = new KvBlocks(BLOCK_SIZE, publish, loraName);
    this.#grammars = grammars;
  }

  get running(): number {
    return this.#pool.running;
  }

  get waiting(): number {
    return this.#pool.waiting;
  }

  /** KV blocks that it holds. */
  get blocks(): number {
    return this.#blocks.size;
  }

  /** Stored events for all of them. */
  snapshot(): KvEvent[] {
    return this.#blocks.snapshot();
  }

  /** Frees its KV; no request is running. */
  async close(): Promise<void> {
    for (const { index } of this.#pool.slots) this.#blocks.update(index, []);
    await this.#context.dispose();
  }

  async *generate(request: GenerateRequest, signal: AbortSignal): AsyncGenerator<Delta> {
    const prompt = promptOf(request);
    const grammar = await this.#grammars.forRequest(request);
    const slot = await this.#pool.acquire(prompt, signal);
    try {
      const cachedTokens = await this.#reusePrefix(slot, prompt, request.echoLogprobs === true);
      yield { tokenIds: [], cachedTokens };
      if (request.echoLogprobs) yield await this.#echo(slot, prompt.tokens, request.logprobs ?? 0);
      yield* this.#answer(slot, prompt, request, grammar, signal);
    } finally {
      this.#settle(slot);
    }
  }

  async exportKv(request: GenerateRequest, signal: AbortSignal): Promise<Prefilled> {
    const prompt = promptOf(request);
    const grammar = await this.#grammars.forRequest(request);
    const slot = await this.#pool.acquire(prompt, signal);
    try {
      const cachedTokens = await this.#reusePrefix(slot, prompt, false);
      let delta: Delta = { tokenIds: [] };
      for await (delta of this.#answer(slot, prompt, request, grammar, signal)) break;
      signal.throwIfAborted();
      delta = { ...delta, cachedTokens };
      if (delta.finish !== undefined) return { delta };
      const file = await StateFile.save(slot.sequence);
      return {
        delta,
        kv: {
          tokens: prompt.tokens.length,
          bytes: file.bytes,
          write: (memory) => file.read(memory),
          release: () => file.close(),
        },
      };
    } finally {
      this.#settle(slot);
    }
  }

  async *importKv(request: GenerateRequest, kv: KvImport, signal: AbortSignal): AsyncGenerator<Delta> {
    const prompt = promptOf(request);
    const grammar = await this.#grammars.forRequest(request);
    const state = await kv.read();
    checkState(state, prompt.tokens, kv.tokens);
    const file = await StateFile.create(state);
    try {
      // The prefill worker can free the KV now, however long this request waits for a sequence.
      yield { tokenIds: [] };
      const slot = await this.#pool.acquire(prompt, signal);
      try {
        yield { tokenIds: [], cachedTokens: await this.#load(slot, prompt, file, kv.tokens) };
        yield* this.#answer(slot, prompt, request, grammar, signal);
      } finally {
        this.#settle(slot);
      }
    } finally {
      file.close();
    }
  }

  /** Truncates the slot to the prefix of the prompt that it may share. Returns the prefix's length. */
  async #reusePrefix(slot: LlamaSlot, prompt: LlamaPrompt, needsAllLogits: boolean): Promise<number> {
    const { tokens } = prompt;
    // The last prompt token is always evaluated: its logits give the answer's first token.
    const reusable = needsAllLogits ? 0 : Math.min(reusableLength(slot, prompt), tokens.length - 1);
    const { sequence } = slot;
    if (sequence.nextTokenIndex > reusable) {
      await sequence.eraseContextTokenRanges([{ start: reusable, end: sequence.nextTokenIndex }]);
    }
    // A model with a sliding window may have dropped more than requested.
    const cached = Math.min(reusable, sequence.nextTokenIndex);
    this.#fill(slot, prompt, cached);
    return cached;
  }

  /**
   * Replaces what the slot holds by the saved state of the prompt's first tokens, unless it holds them already. If that
   * fails, the prompt is computed.
   * @returns how many of the prompt's tokens the slot held
   */
  async #load(slot: LlamaSlot, prompt: LlamaPrompt, file: StateFile, tokens: number): Promise<number> {
    const held = reusableLength(slot, prompt);
    if (held >= tokens) return this.#reusePrefix(slot, prompt, false);
    await file.load(slot.sequence).catch((error: unknown) => {
      this.#log.warn("llama.cpp refuses imported KV; computing the prompt", { reason: messageOf(error) });
    });
    this.#fill(slot, prompt, slot.sequence.nextTokenIndex);
    return Math.min(held, slot.sequence.nextTokenIndex);
  }

  /** The slot holds the prompt's first tokens, and is about to get the others. */
  #fill(slot: LlamaSlot, { tokens, cacheSalt, salt }: LlamaPrompt, held: number): void {
    slot.tokens = tokens.slice();
    slot.cacheSalt = cacheSalt;
    this.#blocks.update(slot.index, tokens.slice(0, held), salt);
  }

  /** Answers once the slot holds a part of the prompt, or nothing. */
  async *#answer(
    slot: LlamaSlot,
    { tokens }: LlamaPrompt,
    request: GenerateRequest,
    grammar: AnswerGrammar | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<Delta> {
    await this.#prefill(slot, tokens, signal);
    if (signal.aborted) return;
    if (request.maxTokens === 0) yield { tokenIds: [], finish: "length" };
    else yield* this.#decode(slot, tokens, request, grammar, signal);
  }

  /** The prompt's tokens with their log probabilities; the first one has none. */
  async #echo(slot: LlamaSlot, prompt: Token[], top: number): Promise<Delta> {
    const logprobs = await promptLogprobs(slot.sequence, prompt, top);
    this.#blocks.grow(slot.index, prompt, slot.sequence.nextTokenIndex);
    return { tokenIds: prompt, logprobs: [{ logprob: Number.NaN, top: [] }, ...logprobs], echo: true };
  }

  /** Evaluates all but the prompt's last token, in chunks, so that an abort does not wait for all of it. */
  async #prefill(slot: LlamaSlot, prompt: Token[], signal: AbortSignal): Promise<void> {
    const { sequence } = slot;
    while (sequence.nextTokenIndex < prompt.length - 1 && !signal.aborted) {
      const start = sequence.nextTokenIndex;
      const size = this.#pool.running > 1 ? SHARED_PREFILL_CHUNK : this.#context.batchSize;
      await sequence.evaluateWithoutGeneratingNewTokens(
        prompt.slice(start, Math.min(start + size, prompt.length - 1)),
      );
      this.#blocks.grow(slot.index, prompt, sequence.nextTokenIndex);
    }
  }

  async *#decode(
    slot: LlamaSlot,
    prompt: Token[],
    request: GenerateRequest,
    grammar: AnswerGrammar | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<Delta> {
    const { sequence } = slot;
    const generated: Token[] = [];
    const options = samplingOptions(this.#model, request, prompt, generated);
    const last = prompt.at(-1)!;
    const steps = generateTokens(sequence, last, options, request.logprobs, grammar);
    const stopTokens = new Set<number>(request.stopTokenIds);
    for await (const { token, logprob } of steps) {
      if (signal.aborted) return;
      this.#blocks.grow(slot.index, slot.tokens, sequence.nextTokenIndex);
      // Once a grammar is complete, only end tokens are left.
      const mayEnd = !request.ignoreEos || grammar?.state !== undefined;
      if (stopTokens.has(token) || (mayEnd && this.#model.isEogToken(token))) {
        yield { tokenIds: [], finish: "stop", stopToken: token };
        return;
      }
      generated.push(token);
      grammar?.push(token);
      slot.tokens.push(token);
      const isLast = generated.length >= request.maxTokens;
      yield {
        tokenIds: [token],
        ...(logprob && { logprobs: [logprob] }),
        ...(isLast && { finish: "length" }),
      };
      if (isLast) return;
    }
  }

  /** Syncs slot and blocks with the KV cache (the last token was never evaluated). */
  #settle(slot: LlamaSlot): void {
    slot.tokens = slot.tokens.slice(0, slot.sequence.nextTokenIndex);
    this.#blocks.sync(slot.index, slot.tokens);
    this.#pool.release(slot);
  }
}

type LlamaSlot = SequenceSlot<LlamaContextSequence, Token>;

/** A request's prompt. */
interface LlamaPrompt extends SlotPrompt<Token> {
  readonly tokens: Token[];
  readonly salt: BlockSalt | undefined;
}

function promptOf(request: GenerateRequest): LlamaPrompt {
  const { cacheSalt, sharedTokens = 0 } = request;
  const tokens = Array.from(request.tokens) as Token[];
  return { tokens, cacheSalt, sharedTokens, salt: blockSaltOf(request, BLOCK_SIZE) };
}
