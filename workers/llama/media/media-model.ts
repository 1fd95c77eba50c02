import { type Features, packFeatures, unpackFeatures } from "./features.ts";
import type { AnsweredToken, MediaModelOptions, MediaQuestion, ProjectorKinds } from "./messages.ts";
import { loadForeign, type Pointer } from "./native/foreign.ts";
import { BATCH_SIZE, type Language, languageOf } from "./native/language.ts";
import { type Chunk, type Projector, projectorOf } from "./native/projector.ts";
import { type Sampler, samplerOf } from "./native/sampler.ts";
import { logprobsOf } from "./token-logprobs.ts";

/** The request cannot be served. The message is a sentence for the client. */
export class RefusedError extends Error {
  override name = "RefusedError";
}

export interface AnswerListener {
  /** @param promptTokens with those of its media */
  onBegun(promptTokens: number): void;
  onToken(token: AnsweredToken): void;
  isStopped(): boolean;
}

/** How an answer ended. */
export interface AnswerEnd {
  readonly finish: "stop" | "length";
  readonly stopToken?: number;
}

/** A part of a prompt: tokens, or embeddings with the chunk that says where they go. */
type Part = Int32Array | { readonly chunk: Chunk; readonly embeddings: Float32Array };

/** A language model of llama.cpp with its projector. It does one thing at a time. */
export class MediaModel {
  readonly kinds: ProjectorKinds;
  readonly #options: MediaModelOptions;
  readonly #language: Language;
  readonly #projectors: Projector;
  readonly #samplers: Sampler;
  readonly #vocabulary: Pointer;
  readonly #vocabularySize: number;
  readonly #context: Pointer;
  readonly #projector: Pointer;
  /** How many floats a token of a medium has. */
  readonly #width: number;
  #ends: readonly number[] | undefined;

  /** @throws Error with the reason, as a clause, if the files cannot be used */
  constructor(options: MediaModelOptions) {
    this.#options = options;
    const foreign = loadForeign(options.packages);
    const language = languageOf(foreign);
    const projectors = projectorOf(foreign);
    const model = language.loadModel(options.modelPath);
    if (model === null) throw new Error(`llama.cpp cannot load the model ${options.modelPath}`);
    this.#vocabulary = language.vocabularyOf(model);
    this.#vocabularySize = language.vocabularySize(this.#vocabulary);
    this.#width = language.embeddingWidth(model);
    const { projectorPath, contextLength, threads } = options;
    const projector = projectors.load(projectorPath, model, threads);
    if (projector === null) throw new Error(UNUSABLE);
    this.kinds = { vision: projectors.seesImages(projector), audio: projectors.hearsAudio(projector) };
    this.#projector = projector;
    this.#context = contextLength === 0 ? null : language.createContext(model, contextLength, threads);
    if (this.#context === null && contextLength > 0)
      throw new Error("there is not enough memory for its context");
    this.#language = language;
    this.#projectors = projectors;
    this.#samplers = samplerOf(foreign);
  }

  /** @throws RefusedError if the bytes cannot be decoded */
  async encode(data: Uint8Array): Promise<{ tokens: number; features: Uint8Array }> {
    const medium = await this.#decoded(data);
    let chunks: Pointer;
    try {
      chunks = await this.#projectors.chunksOf(this.#projector, medium);
      const isAudio = this.#projectors.isAudio(medium);
      const size = this.#projectors.sizeOf(medium);
      if (chunks === undefined) throw new RefusedError(UNDECODABLE);
      const encoded: Float32Array[] = [];
      let tokens = 0;
      for (const chunk of this.#projectors.listChunks(chunks)) {
        tokens += chunk.length;
        if (chunk.text !== undefined) continue;
        const embeddings = await this.#projectors.encode(this.#projector, chunk, this.#width);
        if (embeddings === undefined) throw new Error("the projector cannot encode a medium");
        encoded.push(embeddings);
      }
      return { tokens, features: packFeatures({ isAudio, size, embeddings: joined(encoded) }) };
    } finally {
      if (chunks !== undefined) this.#projectors.freeChunks(chunks);
      this.#projectors.freeMedium(medium);
    }
  }

  /** @throws RefusedError if the prompt is too long, or one of its media cannot be decoded */
  async answer(question: MediaQuestion, listener: AnswerListener): Promise<AnswerEnd> {
    const held: Pointer[] = [];
    try {
      const parts = await this.#partsOf(question, held);
      const promptTokens = parts.reduce((sum, part) => sum + lengthOf(part), 0);
      const { contextLength } = this.#options;
      if (promptTokens >= contextLength)
        throw new RefusedError(
          `The prompt has ${promptTokens} tokens with its media; this model accepts 1 to ${contextLength - 1}.`,
        );
      listener.onBegun(promptTokens);
      const most = Math.min(question.maxTokens, contextLength - promptTokens);
      if (most === 0) return { finish: "length" };
      // What is left of a prompt would change the answer in its last digits, and tell one client what another has sent.
      this.#language.clear(this.#context);
      const position = await this.#compute(parts, listener);
      if (position === undefined) return { finish: "length" };
      return await this.#generate(question, position, most, listener);
    } finally {
      for (const chunks of held) this.#projectors.freeChunks(chunks);
    }
  }

  async #decoded(data: Uint8Array): Promise<Pointer> {
    const medium = await this.#projectors.decodeMedium(this.#projector, data);
    if (medium === null) throw new RefusedError(UNDECODABLE);
    return medium;
  }

  /** @param held gets what must be freed after the parts */
  async #partsOf({ tokens, media }: MediaQuestion, held: Pointer[]): Promise<Part[]> {
    const parts: Part[] = [];
    let from = 0;
    const addText = (to: number) => {
      if (to > from) parts.push(Int32Array.from(tokens.subarray(from, to)));
      from = Math.max(from, to);
    };
    for (const [index, { position, data, features }] of media.entries()) {
      addText(position);
      const given = features && (await this.#partsOfMedium(features, held).catch(() => undefined));
      // Features that do not suit the model are of no use; the medium itself is.
      const made = async () =>
        this.#partsOfMedium((await this.#encodeNth(data, index, media.length)).features, held);
      parts.push(...(given ?? (await made())));
    }
    addText(tokens.length);
    return parts;
  }

  /** Says in a refusal which of several media it is about. */
  async #encodeNth(data: Uint8Array, index: number, count: number) {
    try {
      return await this.encode(data);
    } catch (error) {
      if (!(error instanceof RefusedError) || count === 1) throw error;
      throw new RefusedError(`Medium ${index + 1} of ${count} cannot be decoded: its content is damaged.`);
    }
  }

  async #partsOfMedium(packed: Uint8Array, held: Pointer[]): Promise<Part[]> {
    const { isAudio, size, embeddings }: Features = unpackFeatures(packed);
    const medium = this.#projectors.emptyMedium(isAudio, size);
    const chunks = await this.#projectors.chunksOf(this.#projector, medium);
    this.#projectors.freeMedium(medium);
    if (chunks === undefined) throw new Error("mtmd cannot place a medium");
    held.push(chunks);
    let from = 0;
    const parts = this.#projectors.listChunks(chunks).map((chunk): Part => {
      if (chunk.text !== undefined) return chunk.text;
      const to = from + chunk.length * this.#width;
      const part = { chunk, embeddings: embeddings.slice(from, to) };
      from = to;
      return part;
    });
    if (from !== embeddings.length)
      throw new Error("a medium has other features than the projector makes of its size");
    return parts;
  }

  /** @returns the position after the prompt; undefined if it was stopped */
  async #compute(parts: readonly Part[], listener: AnswerListener): Promise<number | undefined> {
    let position = 0;
    for (const part of parts) {
      if (listener.isStopped()) return undefined;
      if (part instanceof Int32Array)
        for (let from = 0; from < part.length && !listener.isStopped(); from += BATCH_SIZE) {
          const batch = part.subarray(from, from + BATCH_SIZE);
          await this.#decodeTokens(batch, position);
          position += batch.length;
        }
      else {
        const { chunk, embeddings } = part;
        const next = await this.#projectors.decode(
          ...[this.#projector, this.#context, chunk, embeddings, position],
        );
        if (next === undefined) throw new Error("llama.cpp cannot decode a medium");
        position = next;
      }
    }
    return listener.isStopped() ? undefined : position;
  }

  async #decodeTokens(tokens: Int32Array, position: number): Promise<void> {
    const failure = await this.#language.decode(this.#context, tokens, position);
    if (failure !== 0) throw new Error(`llama_decode failed with ${failure}`);
  }

  async #generate(
    question: MediaQuestion,
    start: number,
    most: number,
    listener: AnswerListener,
  ): Promise<AnswerEnd> {
    const { sampling, ignoreEos, stopTokenIds, logprobs } = question;
    const bias = ignoreEos ? this.#endTokens().map((end) => [end, UNLIKELY] as const) : [];
    const options = {
      ...sampling,
      penalised: this.#options.contextLength,
      logitBias: [...sampling.logitBias, ...bias],
    };
    // After the end of a grammar, nothing else can come.
    const canEnd = !ignoreEos || sampling.grammar !== undefined;
    const sampler = this.#samplers.create(this.#vocabulary, this.#vocabularySize, options);
    if (sampler === null) throw new RefusedError("The grammar is not one that llama.cpp reads.");
    try {
      for (const token of question.tokens) this.#samplers.accept(sampler, token);
      for (let position = start, left = most; ; position++) {
        const id = this.#samplers.sample(sampler, this.#context);
        if (stopTokenIds.includes(id) || (canEnd && this.#language.isEnd(this.#vocabulary, id)))
          return { finish: "stop", stopToken: id };
        const likelihood =
          logprobs === undefined
            ? undefined
            : logprobsOf(this.#language.logits(this.#context, this.#vocabularySize), id, logprobs);
        listener.onToken({ kind: "token", id, ...likelihood });
        if (--left === 0 || listener.isStopped()) return { finish: "length" };
        await this.#decodeTokens(Int32Array.of(id), position);
      }
    } finally {
      this.#samplers.free(sampler);
    }
  }

  #endTokens(): readonly number[] {
    this.#ends ??= Array.from({ length: this.#vocabularySize }, (_, id) => id).filter((id) =>
      this.#language.isEnd(this.#vocabulary, id),
    );
    return this.#ends;
  }
}

/** The bias of a token that is chosen only where there is no other. */
const UNLIKELY = -1e9;

const UNUSABLE = "it is incomplete, no projector that llama.cpp knows, or that of another model";
const UNDECODABLE = "The medium cannot be decoded: its content is damaged.";

const lengthOf = (part: Part) => (part instanceof Int32Array ? part.length : part.chunk.length);

function joined(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
