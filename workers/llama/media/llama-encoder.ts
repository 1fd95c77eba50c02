import type { Llama, LlamaModel } from "node-llama-cpp";
import { type MediumToEncode, type ModelCard, PlaneError, type TokenPiece } from "#runtime";
import type { Delta, Encoded, Engine, EngineStats } from "../../engine.ts";
import { type CardOptions, type ContextSize, describeModel } from "../card.ts";
import { readVocabulary } from "../vocabulary.ts";
import type { MediaEncoder } from "./encoding/media-encoder.ts";

/**
 * A llama worker that only encodes media for others: it has the model's projector and vocabulary, but computes no tokens, so
 * it needs no memory for the model's weights and KV.
 */
export class LlamaEncoder implements Engine {
  readonly roles = ["encode"] as const;
  readonly card: ModelCard;
  readonly #llama: Llama;
  readonly #model: LlamaModel;
  readonly #vocabulary: TokenPiece[];
  readonly #media: MediaEncoder;

  /** @param model of which only the vocabulary is loaded */
  constructor(llama: Llama, model: LlamaModel, size: ContextSize, media: MediaEncoder, options: CardOptions) {
    this.#llama = llama;
    this.#model = model;
    this.#vocabulary = readVocabulary(model);
    this.#media = media;
    this.card = describeModel(model, size, this.#vocabulary, options);
  }

  encode(media: readonly MediumToEncode[], signal: AbortSignal): Promise<readonly Encoded[]> {
    return this.#media.encode(media, signal);
  }

  // biome-ignore lint/correctness/useYield: it answers nothing
  async *generate(): AsyncGenerator<Delta> {
    throw new PlaneError("invalid_request", "This worker only encodes media; it answers no prompts.");
  }

  tokenize(text: string): Uint32Array {
    return Uint32Array.from(this.#model.tokenize(text, true));
  }

  vocabulary(): TokenPiece[] {
    return this.#vocabulary;
  }

  stats(): EngineStats {
    return { running: this.#media.running, waiting: this.#media.waiting, kvUsage: 0 };
  }

  async close(): Promise<void> {
    await Promise.all([this.#llama.dispose(), this.#media.close()]);
  }
}
