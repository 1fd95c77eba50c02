import type { Logger } from "#runtime";
import { engineCount, engineReader, type TokenizingEngine } from "../prompts/engine-reader.ts";
import { type FolderAccess, readModelFolder } from "../prompts/model-folder.ts";
import type { PromptReader } from "../prompts/prompt-reader.ts";
import { textReader } from "../prompts/text-reader.ts";
import type { AskableEngine, PromptReaderLoader } from "./sources/attached-engines.ts";

export interface PromptReaderSources {
  /** Undefined on runtimes without a file system. */
  readonly folders: FolderAccess | undefined;
  /** Folders or hub ids to read tokenizers from, by model; the empty name is the default. */
  readonly tokenizers: ReadonlyMap<string, string>;
  readonly log: Logger;
}

/** Finds the best tokenizer for a model: its files on this machine, else its engine's tokenizer, else none. */
export function createPromptReaderLoader({
  folders,
  tokenizers,
  log,
}: PromptReaderSources): PromptReaderLoader {
  return async (model, { profile, sources }, engines) => {
    const hasEvents = sources.length > 0;
    const given = tokenizers.get(model.name) ?? tokenizers.get("");
    const source = given ?? model.source;
    const fromFolder = source && folders ? await fromFiles(source, folders, given !== undefined) : undefined;
    if (fromFolder !== undefined) return fromFolder;
    const askable = () => engines().flatMap(tokenizingEngine);
    // Without KV events, token ids need not match anything: comparing text works as well, and calls no engine.
    if (profile.tokenizes !== "chat" || !hasEvents)
      return { ...textReader, count: engineCount(model.name, askable) };
    return engineReader(model.name, askable);
  };

  async function fromFiles(
    source: string,
    access: FolderAccess,
    isGiven: boolean,
  ): Promise<PromptReader | undefined> {
    try {
      const reader = await readModelFolder(source, access);
      if (reader === undefined && isGiven)
        log.error("no tokenizer.json at the location given with --tokenizer", { source });
      return reader;
    } catch (error) {
      log.warn("cannot read a model's tokenizer", { source, reason: String(error) });
      return undefined;
    }
  }
}

function tokenizingEngine({ name, api, adapter, state }: AskableEngine): TokenizingEngine[] {
  return state === "ready" && adapter !== undefined ? [{ name, api, adapter }] : [];
}
