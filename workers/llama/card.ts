import { createHash } from "node:crypto";
import { basename } from "node:path";
import type { LlamaModel, Token } from "node-llama-cpp";
import { encodeVocabulary, type ModelCard, type TokenPiece } from "#runtime";
import type { TokenizerFile } from "../tokenizer-file.ts";
import { longestInput } from "./embeddings.ts";
import { canKeepToGrammars } from "./grammar/writable.ts";

/** Tokens per KV block. */
export const BLOCK_SIZE = 16;

export interface CardOptions {
  modelPath: string;
  modelName?: string | undefined;
  aliases?: string[] | undefined;
  chatTemplate?: string | undefined;
  tokenizer?: TokenizerFile | undefined;
  engineVersion: string;
  /** See `kv-format.ts`; undefined for a worker that computes no KV. */
  kvFormat?: string | undefined;
  /** The kinds of media that its projector takes. */
  media?: ModelCard["media"];
  /** See `media/feature-format.ts`. */
  featureFormat?: string | undefined;
}

/** How much a context holds, and computes at once. */
export interface ContextSize {
  /** Of each sequence, in tokens. */
  readonly contextSize: number;
  readonly totalSequences: number;
  readonly batchSize: number;
}

/** How the model pools its tokens' states into one vector, as a number of llama.cpp; undefined if it does not. */
export function poolingTypeOf({ fileInfo: { metadata } }: LlamaModel): unknown {
  for (const section of Object.values(metadata)) {
    if (typeof section === "object" && section !== null && Reflect.has(section, "pooling_type"))
      return Reflect.get(section, "pooling_type");
  }
  return undefined;
}

/** The model card of a loaded GGUF model. */
export function describeModel(
  model: LlamaModel,
  context: ContextSize,
  vocabulary: TokenPiece[],
  options: CardOptions,
): ModelCard {
  const { metadata } = model.fileInfo;
  const sequences = context.totalSequences;
  const isEmbeddingModel = poolingTypeOf(model) !== undefined;
  const textOf = (id: Token | null) =>
    id === null ? undefined : new TextDecoder().decode(vocabulary[id]?.bytes);
  const bos = model.tokens.bos;
  return {
    name: options.modelName ?? basename(options.modelPath).replace(/\.gguf$/i, ""),
    aliases: options.aliases ?? [],
    apis: isEmbeddingModel ? ["embeddings"] : ["chat", "completions"],
    role: "aggregated",
    contextLength: isEmbeddingModel ? longestInput(model, context.contextSize) : context.contextSize,
    blockSize: BLOCK_SIZE,
    totalBlocks: Math.floor((context.contextSize * sequences) / BLOCK_SIZE),
    maxBatchedTokens: context.batchSize,
    maxSequences: sequences,
    dataParallelSize: 1,
    tokenizer: describeTokenizer(vocabulary, options.tokenizer),
    chatTemplate: options.chatTemplate ?? metadata.tokenizer.chat_template,
    specialTokens: { bos: textOf(bos), eos: textOf(model.tokens.eos) },
    addBos: model.tokens.shouldPrependBosToken,
    bosTokenId: bos ?? undefined,
    eosTokenIds: vocabulary.flatMap((piece, id) =>
      piece.control && model.isEogToken(id as Token) ? [id] : [],
    ),
    vocabularySize: vocabulary.length,
    features: {
      logprobs: true,
      logitBias: true,
      embeddings: isEmbeddingModel,
      grammar: canKeepToGrammars(vocabulary),
      cacheSalt: true,
    },
    engine: { name: "llama.cpp", version: options.engineVersion },
    created: Math.floor(Date.now() / 1000),
    kvFormat: options.kvFormat,
    media: options.media,
    featureFormat: options.featureFormat,
  };
}

function describeTokenizer(
  vocabulary: TokenPiece[],
  file: TokenizerFile | undefined,
): ModelCard["tokenizer"] {
  if (file === undefined) {
    return {
      kind: "worker",
      sha256: createHash("sha256").update(encodeVocabulary(vocabulary)).digest("hex"),
    };
  }
  // Models often pad their vocabulary, so it can be longer than the file's, but never shorter.
  if (file.vocabularySize > vocabulary.length) {
    throw new Error(
      `${file.path} has ${file.vocabularySize} tokens, but the model has ${vocabulary.length}: it belongs to another model.`,
    );
  }
  return { kind: "huggingface", path: file.path, sha256: file.sha256 };
}
