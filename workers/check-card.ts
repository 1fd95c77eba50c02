import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { type CardFault, cardFault, encodeVocabulary, type ModelCard, modelCardSchema } from "#runtime";
import type { Engine } from "./engine.ts";

/**
 * The engine's model card, validated, because the gateway relies on it.
 * @param worker the worker's name
 * @throws Error whose message names the worker and the invalid field
 */
export async function checkedCard(engine: Engine, worker: string): Promise<ModelCard> {
  const parsed = modelCardSchema.safeParse(engine.card);
  const fault = parsed.success ? await findFault(engine, parsed.data) : cardFault(parsed.error);
  if (parsed.success && fault === undefined) return parsed.data;
  throw new Error(
    `The worker '${worker}' cannot serve its model: '${fault?.field}' in its engine's model card is invalid: ${fault?.reason}`,
  );
}

async function findFault(engine: Engine, card: ModelCard): Promise<CardFault | undefined> {
  const { bosTokenId = 0, eosTokenIds, vocabularySize, tokenizer } = card;
  const isForeign = (id: number) => id >= vocabularySize;
  const outside = (field: string, id: number) => ({
    field,
    reason: `${id} is not in a vocabulary of ${vocabularySize} tokens.`,
  });
  const eos = eosTokenIds.findIndex(isForeign);
  if (eos >= 0) return outside(`eosTokenIds.${eos}`, eosTokenIds[eos]!);
  if (isForeign(bosTokenId)) return outside("bosTokenId", bosTokenId);
  if (card.apis.includes("embeddings") && engine.embed === undefined)
    return { field: "apis", reason: "'embeddings' needs the engine's method embed." };
  const speech = card.apis.find((api) => api === "transcriptions" || api === "translations");
  if (speech !== undefined && engine.transcribe === undefined)
    return { field: "apis", reason: `'${speech}' needs the engine's method transcribe.` };
  if (engine.encode !== undefined && (card.media === undefined || card.featureFormat === undefined))
    return { field: "featureFormat", reason: "the engine's method encode needs it, and 'media'." };
  const parts = [card.kvFormat, engine.exportKv, engine.importKv].filter((part) => part !== undefined);
  if (parts.length % 3 !== 0)
    return { field: "kvFormat", reason: "it goes together with the engine's methods exportKv and importKv." };
  return tokenizer.kind === "worker" ? vocabularyFault(engine, card) : fileFault(tokenizer);
}

function vocabularyFault(engine: Engine, { vocabularySize, tokenizer }: ModelCard): CardFault | undefined {
  if (engine.vocabulary === undefined || engine.tokenize === undefined)
    return {
      field: "tokenizer.kind",
      reason: "'worker' needs the engine's methods tokenize and vocabulary.",
    };
  const pieces = engine.vocabulary();
  if (pieces.length !== vocabularySize)
    return {
      field: "vocabularySize",
      reason: `it is ${vocabularySize}, but the vocabulary has ${pieces.length} tokens.`,
    };
  return checksumFault(tokenizer.sha256, encodeVocabulary(pieces), "the vocabulary's (see encodeVocabulary)");
}

async function fileFault({ path, sha256 }: { path: string; sha256: string }): Promise<CardFault | undefined> {
  try {
    return checksumFault(sha256, await readFile(path, "utf8"), `that of ${path}`);
  } catch (error) {
    return { field: "tokenizer.path", reason: `${error instanceof Error ? error.message : error}.` };
  }
}

function checksumFault(expected: string, content: Uint8Array | string, whose: string): CardFault | undefined {
  const sha256 = createHash("sha256").update(content).digest("hex");
  if (sha256 === expected) return undefined;
  return { field: "tokenizer.sha256", reason: `it is '${expected}', but ${whose} is ${sha256}.` };
}
