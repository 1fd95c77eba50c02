import { type CatalogueModel, memoryNeeded } from "../catalogue/index.ts";
import { catalogueAddress } from "../source.ts";
import { expectedChecksum, type StoredModel } from "../stored.ts";

/** How much of a model is on this machine. */
export type Presence = "yes" | "partial" | "no";

export function presenceOf(stored: StoredModel | undefined): Presence {
  if (stored === undefined) return "no";
  return stored.isComplete ? "yes" : "partial";
}

/** A model of the catalogue, for JSON. */
export function describeModel(model: CatalogueModel) {
  return {
    name: model.name,
    alias: model.isFamilyDefault ? model.family : null,
    default: model.isStartDefault,
    kind: model.embeds ? "embedding" : "chat",
    licence: model.licence,
    address: catalogueAddress(model),
    bytes: model.bytes,
    memory: memoryNeeded(model),
    context_length: model.contextLength,
    tools: model.toolParser !== undefined,
    tool_parser: model.toolParser ?? null,
    reasons: model.reasoningParser !== undefined,
    reasoning_parser: model.reasoningParser ?? null,
    sees: model.sees ?? false,
  };
}

/** A file in the model folder, for JSON. */
export function describeStored(stored: StoredModel) {
  const { path, bytes, isComplete, record } = stored;
  return {
    path,
    bytes,
    complete: isComplete,
    source: record?.source ?? null,
    commit: record?.commit ?? null,
    sha256: expectedChecksum(stored)?.sha256 ?? null,
    fetched_at: record?.fetchedAt ?? null,
  };
}
