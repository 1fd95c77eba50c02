import { createHash } from "node:crypto";
import { mkdir, rm, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, join } from "node:path";
import { DEFAULT_MODEL, fetchDefaultModel } from "./default-model.ts";
import { download, exists, requireGguf } from "./download.ts";
import { type Progress, terminalProgress } from "./progress.ts";
import { parseModelSource } from "./source.ts";

export interface ModelFile {
  /** Path of the GGUF file. */
  path: string;
  /** The model's default name in the API. */
  name: string;
  /** Replaces the file's own template, if that is known to be bad. */
  chatTemplate?: string;
}

/** The folder for downloaded models, in the user's cache folder and so shared by all checkouts. */
export const defaultModelFolder = () =>
  join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "stator", "models");

/**
 * Downloads the model that `--model` names, unless it is on this machine already.
 * @throws Error or DownloadError with a message that says what to do
 */
export async function fetchModel(
  text: string | undefined,
  options: { folder: string; progress?: Progress; signal?: AbortSignal },
): Promise<ModelFile> {
  const source = parseModelSource(text);
  if (source.kind === "file") {
    await requireGguf(source.path);
    const { path, name } = source;
    return { path, name, ...((await isDefaultModel(path)) && { chatTemplate: DEFAULT_MODEL.chatTemplate }) };
  }
  const { folder, progress = terminalProgress(), signal } = options;
  await mkdir(folder, { recursive: true }).catch((error: Error) => {
    throw new Error(
      `Cannot store models in ${folder}: ${error.message}. Choose another folder: --model-folder DIR.`,
    );
  });
  if (source.kind === "default") {
    const path = join(folder, DEFAULT_MODEL.fileName);
    if ((await sizeOf(path)) !== DEFAULT_MODEL.size) {
      await rm(path, { force: true });
      await fetchDefaultModel(folder, progress, signal);
    }
    const { name, chatTemplate } = DEFAULT_MODEL;
    return { path, name, chatTemplate };
  }
  // Two URLs can end in the same file name.
  const key = createHash("sha256").update(source.url.href).digest("hex").slice(0, 8);
  const target = join(folder, `${key}-${source.fileName}`);
  if (!(await exists(target))) {
    progress.say(`Downloading ${source.url.host}${source.url.pathname}, only this once.`);
    await download({ url: source.url, target, sha256: source.sha256, progress, signal });
  }
  return { path: target, name: source.name };
}

/** Whether the file is the default model, by name and size. */
const isDefaultModel = async (path: string) =>
  basename(path) === DEFAULT_MODEL.fileName && (await sizeOf(path)) === DEFAULT_MODEL.size;

const sizeOf = async (path: string) => (await stat(path).catch(() => undefined))?.size;
