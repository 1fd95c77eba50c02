import { mkdir, rm, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, join } from "node:path";
import { byteText } from "./byte-text.ts";
import { type CatalogueModel, memoryNeeded } from "./catalogue/index.ts";
import { DEFAULT_MODEL, fetchDefaultModel } from "./default-model.ts";
import { download } from "./download.ts";
import { exists, requireGguf } from "./gguf-file.ts";
import { machineMemory } from "./machine.ts";
import { type Progress, terminalProgress } from "./progress.ts";
import { modelName, parseModelSource, storedPath } from "./source.ts";

export interface ModelFile {
  /** Path of the GGUF file. */
  path: string;
  /** The model's default name in the API. */
  name: string;
  /** Other names: a model in the catalogue also has its file's. */
  aliases: readonly string[];
  /** Replaces the file's own template, if that is known to be bad. */
  chatTemplate?: string;
  /** The catalogue's parsers; undefined where the chat template decides. */
  toolParser?: string | undefined;
  reasoningParser?: string | undefined;
}

export interface FetchOptions {
  readonly folder: string;
  readonly progress?: Progress;
  readonly signal?: AbortSignal;
  /** Tokens of KV memory that will be used with the model. Default: as a worker has by default. */
  readonly kvTokens?: number | undefined;
}

/** The folder for downloaded models, in the user's cache folder and so shared by all checkouts. */
export const defaultModelFolder = () =>
  join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "stator", "models");

/**
 * Downloads the model that `--model` names, unless it is on this machine already.
 * @throws Error or DownloadError with a message that says what to do
 */
export async function fetchModel(text: string | undefined, options: FetchOptions): Promise<ModelFile> {
  const source = parseModelSource(text);
  if (source.kind === "file") {
    await requireGguf(source.path);
    const { path, name } = source;
    const isDefault = await isDefaultModel(path);
    return { path, name, aliases: [], ...(isDefault && { chatTemplate: DEFAULT_MODEL.chatTemplate }) };
  }
  const { folder, progress = terminalProgress(), signal } = options;
  await mkdir(folder, { recursive: true }).catch((error: Error) => {
    throw new Error(
      `Cannot store models in ${folder}: ${error.message}. Choose another folder: --model-folder DIR.`,
    );
  });
  const { catalogue } = source;
  if (catalogue !== undefined) warnOfMemory(catalogue, options.kvTokens, progress);
  const path = storedPath(source, folder);
  if (source.kind === "default") {
    if ((await sizeOf(path)) !== DEFAULT_MODEL.size) {
      await rm(path, { force: true });
      await fetchDefaultModel(folder, progress, signal);
    }
    const { name, chatTemplate } = DEFAULT_MODEL;
    return catalogue === undefined
      ? { path, name, aliases: [], chatTemplate }
      : { path, ...catalogueNames(catalogue, name), chatTemplate };
  }
  const { url, address, sha256 } = source;
  if (!(await exists(path))) await download({ url, target: path, sha256, address, progress, signal });
  if (catalogue === undefined) return { path, name: source.name, aliases: [] };
  const { toolParser, reasoningParser } = catalogue;
  return { path, ...catalogueNames(catalogue, modelName(source.fileName)), toolParser, reasoningParser };
}

/**
 * Downloads the projector that `--mmproj` names by `hf:owner/repo/file.gguf` or a URL, unless it is on this machine already.
 * @returns its path; that of a file as it was given
 * @throws Error or DownloadError with a message that says what to do
 */
export async function fetchProjector(text: string, options: FetchOptions): Promise<string> {
  if (!/^(hf|https?):/i.test(text)) return text;
  return (await fetchModel(text, options)).path;
}

const catalogueNames = ({ name }: CatalogueModel, alias: string) => ({ name, aliases: [alias] });

/** A machine with less memory swaps, or kills the worker. */
function warnOfMemory(model: CatalogueModel, kvTokens: number | undefined, progress: Progress): void {
  const needed = memoryNeeded(model, kvTokens);
  const memory = machineMemory();
  if (needed > memory)
    progress.say(
      `Warning: ${model.name} needs about ${byteText(needed)} of memory, and this machine has ${byteText(memory)}. Choose a smaller model ('stator models' lists them), or fewer --workers, --sequences or a smaller --context-length.`,
    );
}

/** Whether the file is the default model, by name and size. */
const isDefaultModel = async (path: string) =>
  basename(path) === DEFAULT_MODEL.fileName && (await sizeOf(path)) === DEFAULT_MODEL.size;

const sizeOf = async (path: string) => (await stat(path).catch(() => undefined))?.size;
