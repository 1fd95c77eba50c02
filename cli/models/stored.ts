import { lstat, readdir, realpath } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { CATALOGUE, type CatalogueModel, suggestion } from "./catalogue/index.ts";
import { DEFAULT_MODEL } from "./default-model.ts";
import { type FileRecord, readRecord } from "./file-record.ts";
import { catalogueSource, parseModelSource, storedPath } from "./source.ts";

/** A model file in the model folder, or the part of one that has arrived. */
export interface StoredModel {
  /** Its name in the catalogue, else the file's name. */
  readonly name: string;
  readonly path: string;
  readonly catalogue: CatalogueModel | undefined;
  /** Bytes on the disk. */
  readonly bytes: number;
  /** Whether all of it is there. */
  readonly isComplete: boolean;
  readonly record: FileRecord | undefined;
}

/** What a name stands for in the model folder. */
export interface Place {
  readonly name: string;
  readonly path: string;
  readonly catalogue: CatalogueModel | undefined;
}

/** Where the folder's models from the catalogue are, or would be. */
export const placeOf = (model: CatalogueModel, folder: string): Place => ({
  name: model.name,
  path: storedPath(catalogueSource(model), folder),
  catalogue: model,
});

/** All models in the folder; none if there is no such folder. */
export async function storedModels(folder: string): Promise<StoredModel[]> {
  const names = await readdir(folder).catch(() => []);
  const files = new Set(
    names
      .flatMap((name) => /^(.+\.gguf)(?:\.partial)?$/i.exec(name)?.[1] ?? [])
      .map((name) => join(folder, name)),
  );
  const known = new Map(CATALOGUE.map((model) => placeOf(model, folder)).map((place) => [place.path, place]));
  const found = await Promise.all(
    Array.from(files, (path) =>
      readStored(known.get(path) ?? { name: basename(path), path, catalogue: undefined }),
    ),
  );
  return found.filter((model) => model !== undefined).toSorted((a, b) => a.name.localeCompare(b.name));
}

/** The model in its place; undefined if nothing of it is there. */
export async function readStored(place: Place): Promise<StoredModel | undefined> {
  const { path } = place;
  const whole = await fileSize(path);
  const bytes = whole ?? (await fileSize(`${path}.partial`));
  if (bytes === undefined) return undefined;
  return { ...place, bytes, isComplete: whole !== undefined, record: await readRecord(path) };
}

/**
 * What a name, an address, or a file's name in the model folder stands for.
 * @throws Error that suggests a similar name, or if it is a file outside the folder
 */
export async function findPlace(text: string, folder: string): Promise<Place> {
  const own = join(folder, text);
  if (isModelFile(text) && ((await fileSize(own)) ?? (await fileSize(`${own}.partial`))) !== undefined)
    return known(own, folder);
  let source: ReturnType<typeof parseModelSource>;
  try {
    source = parseModelSource(text);
  } catch (error) {
    if (text.startsWith("hf:") || /^https?:/i.test(text)) throw error;
    const here = (await storedModels(folder)).map(({ name }) => name);
    throw new Error(
      `There is no model '${text}'.${suggestion(text, here)} 'stator models' lists the names and the files in ${folder}.`,
    );
  }
  if (source.kind !== "file") return known(storedPath(source, folder), folder, source.catalogue);
  const real = async (path: string) => realpath(path).catch(() => resolve(path));
  if ((await real(dirname(source.path))) !== (await real(folder)) || !isModelFile(basename(source.path)))
    throw new Error(
      `${source.path} is not a model in ${folder}. Only files there are managed; --model-folder DIR chooses another folder.`,
    );
  return known(join(folder, basename(source.path)), folder);
}

/** A plain name of a GGUF file, without a folder. */
const isModelFile = (name: string) => /^[^\\/]+\.gguf$/i.test(name);

function known(path: string, folder: string, catalogue?: CatalogueModel): Place {
  const place = CATALOGUE.map((model) => placeOf(model, folder)).find((each) => each.path === path);
  return place ?? { name: catalogue?.name ?? basename(path), path, catalogue };
}

/** The checksum that the file must have, and who computed it; undefined if none is kept. */
export function expectedChecksum({
  path,
  record,
}: StoredModel): Pick<FileRecord, "sha256" | "bytes"> | undefined {
  if (basename(path) === DEFAULT_MODEL.fileName)
    return { sha256: DEFAULT_MODEL.sha256, bytes: DEFAULT_MODEL.size };
  return record;
}

/** The file's size in bytes, that of a link and not of what it points to; undefined if it is not a file. */
async function fileSize(path: string): Promise<number | undefined> {
  const found = await lstat(path).catch(() => undefined);
  return found === undefined || found.isDirectory() ? undefined : found.size;
}
