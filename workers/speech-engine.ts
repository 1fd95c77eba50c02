import { type ModelCard, PlaneError } from "#runtime";
import { bytePieces, tokenCard, tokenizeBytes } from "./byte-tokens.ts";
import type { Engine } from "./engine.ts";

/** What a speech model has of its own. */
export interface SpeechModel extends Pick<Engine, "stats" | "close"> {
  readonly name: string;
  readonly aliases?: readonly string[] | undefined;
  readonly engine: ModelCard["engine"];
  /** Whether it can translate speech into English too. */
  readonly translates: boolean;
  /** Whether it gives the times of words. */
  readonly wordTimes: boolean;
  /** Requests that it takes at once. */
  readonly maxSequences: number;
  readonly transcribe: NonNullable<Engine["transcribe"]>;
}

/** For the router, which weighs load in blocks of tokens. */
const CONTEXT_LENGTH = 16_384;
const BLOCK_SIZE = 16;

/** The engine of a model that only turns speech into text. It has no prompts, so bytes will do for its tokens. */
export function speechEngine(model: SpeechModel): Engine {
  const { stats, close, transcribe, maxSequences } = model;
  return {
    ...{ stats, close, transcribe },
    card: {
      name: model.name,
      aliases: [...(model.aliases ?? [])],
      apis: model.translates ? ["transcriptions", "translations"] : ["transcriptions"],
      role: "aggregated",
      contextLength: CONTEXT_LENGTH,
      blockSize: BLOCK_SIZE,
      totalBlocks: (CONTEXT_LENGTH / BLOCK_SIZE) * maxSequences,
      maxBatchedTokens: CONTEXT_LENGTH,
      maxSequences,
      dataParallelSize: 1,
      ...tokenCard(undefined),
      features: {
        logprobs: false,
        logitBias: false,
        embeddings: false,
        continues: false,
        cacheSalt: true,
        wordTimes: model.wordTimes,
      },
      engine: model.engine,
      created: Math.floor(Date.now() / 1000),
    },
    tokenize: tokenizeBytes,
    vocabulary: () => bytePieces,
    // biome-ignore lint/correctness/useYield: it answers nothing
    async *generate() {
      throw new PlaneError("invalid_request", "This is a speech model; it answers no prompts.");
    },
  };
}
