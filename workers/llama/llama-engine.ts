import type { Llama, LlamaContext, LlamaModel } from "node-llama-cpp";
import {
  type GenerateRequest,
  type KvEvent,
  type Logger,
  type MediumToEncode,
  type ModelCard,
  PlaneError,
  type TokenPiece,
} from "#runtime";
import type {
  Delta,
  Encoded,
  Engine,
  EngineRequest,
  EngineStats,
  KvEventSource,
  Prefilled,
} from "../engine.ts";
import type { KvImport } from "../kv/types.ts";
import { type CardOptions, describeModel } from "./card.ts";
import { embedWith } from "./embeddings.ts";
import { ContextEngine, type SharedParts } from "./engine.ts";
import { Grammars } from "./grammar/grammars.ts";
import { type AdapterContexts, adapterFiles } from "./lora/adapter-files.ts";
import { LlamaAdapters } from "./lora/adapters.ts";
import { MediaAnswers } from "./media/decoding/media-answers.ts";
import type { NativeContext } from "./media/decoding/native-context.ts";
import type { MediaEncoder } from "./media/encoding/media-encoder.ts";
import { ThreadShares } from "./thread-shares.ts";
import { readVocabulary } from "./vocabulary.ts";

/** What an engine needs besides the loaded model. */
export interface LlamaEngineOptions extends CardOptions {
  readonly threads: number;
  /** LoRA adapters that have a context at once. */
  readonly maxLoras: number;
  readonly adapterContexts: AdapterContexts;
  readonly projector: LlamaMedia | undefined;
  readonly log: Logger;
}

/** What a model with a projector has. */
export interface LlamaMedia {
  readonly encoder: MediaEncoder;
  /** Computes prompts with media. */
  readonly native: NativeContext;
  /** How many of them at once. */
  readonly sequences: number;
}

/** A loaded GGUF model. `open.ts` opens it. */
export class LlamaEngine implements Engine {
  readonly card: ModelCard;
  readonly kvEvents: KvEventSource;
  readonly lora: LlamaAdapters<ContextEngine>;
  readonly #llama: Llama;
  readonly #model: LlamaModel;
  readonly #threads: number;
  /** Answers without an adapter. */
  readonly #base: ContextEngine;
  readonly #vocabulary: TokenPiece[];
  readonly #encoder: MediaEncoder | undefined;
  /** Answers prompts with media. */
  readonly #media: MediaAnswers | undefined;
  /** Encodes media, if the model has a projector. */
  readonly encode?: (media: readonly MediumToEncode[], signal: AbortSignal) => Promise<readonly Encoded[]>;
  #publish: (events: KvEvent[]) => void = () => {};

  /** @param context the model's own */
  constructor(llama: Llama, model: LlamaModel, context: LlamaContext, options: LlamaEngineOptions) {
    const { threads, log, maxLoras, adapterContexts } = options;
    this.#llama = llama;
    this.#model = model;
    this.#threads = threads;
    this.#vocabulary = readVocabulary(model);
    const shared: SharedParts = {
      ...{ model, log },
      grammars: new Grammars(llama, model, this.#vocabulary),
      publish: (events) => this.#publish(events),
    };
    this.#base = new ContextEngine(context, shared);
    this.lora = new LlamaAdapters(adapterFiles(shared, adapterContexts), maxLoras);
    this.kvEvents = {
      subscribe: (listener) => {
        this.#publish = listener;
      },
      snapshot: () => this.#contexts.flatMap((each) => each.snapshot()),
    };
    this.card = describeModel(model, context, this.#vocabulary, options);
    const { projector } = options;
    if (projector === undefined) return;
    const { encoder } = projector;
    const { contextLength } = this.card;
    this.#encoder = encoder;
    const shares = new ThreadShares(llama);
    this.#media = new MediaAnswers({
      ...{ ...projector, contextLength, log },
      ...{ grammars: shared.grammars, vocabulary: this.#vocabulary },
      threads: () => shares.consumer(threads),
    });
    this.encode = (wanted, signal) => encoder.encode(wanted, signal);
  }

  generate(request: EngineRequest, signal: AbortSignal): AsyncIterable<Delta> {
    if (request.media !== undefined && this.#media !== undefined)
      return this.#media.generate(request, signal);
    return this.#answer(request, signal, (context) => context.generate(request, signal));
  }

  async exportKv(request: GenerateRequest, signal: AbortSignal): Promise<Prefilled> {
    const { loraName } = request;
    if (loraName === undefined) return this.#base.exportKv(request, signal);
    return this.lora.use(loraName, signal, (context) => context.exportKv(request, signal));
  }

  importKv(request: GenerateRequest, kv: KvImport, signal: AbortSignal): AsyncIterable<Delta> {
    return this.#answer(request, signal, (context) => context.importKv(request, kv, signal));
  }

  tokenize(text: string): Uint32Array {
    return Uint32Array.from(this.#model.tokenize(text, true));
  }

  vocabulary(): TokenPiece[] {
    return this.#vocabulary;
  }

  async embed(inputs: readonly Uint32Array[], signal: AbortSignal): Promise<Float32Array[]> {
    if (!this.card.features.embeddings)
      throw new PlaneError("invalid_request", "This model does not support embeddings.");
    const { contextLength } = this.card;
    return embedWith(this.#model, { threads: this.#threads, contextLength }, inputs, signal);
  }

  stats(): EngineStats {
    const contexts = this.#contexts;
    const sum = (of: (context: ContextEngine) => number) =>
      contexts.reduce((total, each) => total + of(each), 0);
    return {
      running: sum(({ running }) => running) + (this.#media?.running ?? 0),
      waiting: sum(({ waiting }) => waiting) + (this.#media?.waiting ?? 0),
      kvUsage: sum(({ blocks }) => blocks) / (this.card.totalBlocks * contexts.length),
    };
  }

  async close(): Promise<void> {
    await Promise.all([this.#media?.close(), this.#encoder?.close()]);
    await this.#llama.dispose();
  }

  get #contexts(): ContextEngine[] {
    return [this.#base, ...this.lora.contexts];
  }

  #answer(
    { loraName }: GenerateRequest,
    signal: AbortSignal,
    answer: (context: ContextEngine) => AsyncIterable<Delta>,
  ): AsyncIterable<Delta> {
    return loraName === undefined ? answer(this.#base) : this.lora.answer(loraName, signal, answer);
  }
}
