import { type ModelCard, PlaneError } from "#runtime";
import { bytePieces, tokenCard, tokenizeBytes } from "./byte-tokens.ts";
import type { Engine } from "./engine.ts";

/** What a model that answers no prompts has of its own. */
export interface PromptlessModel extends Pick<ModelCard, "name" | "apis" | "engine"> {
  readonly aliases?: readonly string[] | undefined;
  /** Requests that it takes at once. */
  readonly maxSequences: number;
  /** Further fields of its card. */
  readonly card?: Partial<Pick<ModelCard, "role" | "media" | "featureFormat">>;
  readonly wordTimes?: boolean;
  /** What it is and does, as a sentence for whoever sends a prompt. */
  readonly nature: string;
}

/** For the router, which weighs load in blocks of tokens. */
const CONTEXT_LENGTH = 16_384;
const BLOCK_SIZE = 16;

/** The parts of an engine that have to do with prompts, for one that has none: bytes will do for its tokens. */
export function promptlessEngine(
  model: PromptlessModel,
): Pick<Engine, "card" | "tokenize" | "vocabulary" | "generate"> {
  const { name, aliases = [], apis, engine, maxSequences, wordTimes = false } = model;
  return {
    card: {
      ...{ name, apis, engine, maxSequences },
      aliases: [...aliases],
      role: "aggregated",
      contextLength: CONTEXT_LENGTH,
      blockSize: BLOCK_SIZE,
      totalBlocks: (CONTEXT_LENGTH / BLOCK_SIZE) * maxSequences,
      maxBatchedTokens: CONTEXT_LENGTH,
      dataParallelSize: 1,
      ...tokenCard(undefined),
      features: {
        ...{ logprobs: false, logitBias: false, embeddings: false, continues: false },
        ...{ cacheSalt: true, wordTimes },
      },
      created: Math.floor(Date.now() / 1000),
      ...model.card,
    },
    tokenize: tokenizeBytes,
    vocabulary: () => bytePieces,
    // biome-ignore lint/correctness/useYield: it answers nothing
    async *generate() {
      throw new PlaneError("invalid_request", model.nature);
    },
  };
}
