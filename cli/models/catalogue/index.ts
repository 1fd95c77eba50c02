import { nearest } from "#runtime";
import { DEFAULT_MODEL } from "../default-model.ts";
import { FAMILIES, type FamilyFacts, type FamilyModel } from "./families.ts";

/** A model with a short name, such as `qwen3:0.6b`. */
export interface CatalogueModel extends FamilyFacts {
  /** The family's name and the tag. */
  readonly name: string;
  readonly family: string;
  /** Whether the family's name alone means this model. */
  readonly isFamilyDefault: boolean;
  /** Whether it is the model that starts without --model. */
  readonly isStartDefault: boolean;
  /** On the hub: owner/repo. */
  readonly repo: string;
  /** Branch, tag or commit. */
  readonly revision: string;
  readonly fileName: string;
  /** About the size of the file, in bytes: the hub knows the exact one. */
  readonly bytes: number;
  /** Bytes of KV cache per token. */
  readonly kvBytes: number;
}

/** Every model with a short name, the smallest of a family first. */
export const CATALOGUE: readonly CatalogueModel[] = FAMILIES.flatMap(({ name: family, models, ...shared }) =>
  models
    .map((model, index) => ({ ...shared, ...factsOf(family, model), isFamilyDefault: index === 0 }))
    .toSorted((one, other) => one.bytes - other.bytes),
);

function factsOf(family: string, { tag, file, megabytes, kvBytes, ...own }: FamilyModel) {
  const [owner, repo, fileName] = file.split("/") as [string, string, string];
  const isStartDefault = fileName === DEFAULT_MODEL.fileName;
  return {
    ...own,
    name: `${family}:${tag}`,
    family,
    isStartDefault,
    repo: `${owner}/${repo}`,
    revision: isStartDefault ? DEFAULT_MODEL.hub.revision : "main",
    fileName,
    bytes: isStartDefault ? DEFAULT_MODEL.size : megabytes * 1e6,
    kvBytes: kvBytes ?? 0,
  };
}

/** The model of this name, in any case; a family's name alone means its default. */
export function findModel(text: string): CatalogueModel | undefined {
  const name = text.toLowerCase();
  return CATALOGUE.find((model) => model.name === name || (model.isFamilyDefault && model.family === name));
}

/** "Did you mean …", of the catalogue's names and any others; empty if none is similar. */
export function suggestion(text: string, others: readonly string[] = []): string {
  const names = CATALOGUE.flatMap((model) =>
    model.isFamilyDefault ? [model.name, model.family] : [model.name],
  );
  const found = nearest(text, [...names, ...others]);
  return found === undefined ? "" : ` Did you mean '${found}'?`;
}

/** A worker's KV memory unless its options say otherwise: 4 sequences of 4,096 tokens. */
const DEFAULT_KV_TOKENS = 4 * 4_096;

/** Scratch memory of llama.cpp and the process itself, in bytes. */
const OVERHEAD = 300e6;

/**
 * About the memory that workers need for a model, in bytes: its weights, which workers on one machine share, and KV.
 * @param kvTokens how many tokens their KV memory holds, together
 */
export const memoryNeeded = (model: CatalogueModel, kvTokens: number = DEFAULT_KV_TOKENS): number =>
  model.bytes + model.kvBytes * kvTokens + OVERHEAD;
