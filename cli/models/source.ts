import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { type CatalogueModel, findModel, suggestion } from "./catalogue/index.ts";
import { DEFAULT_MODEL } from "./default-model.ts";
import { hubAddress, hubUrl, parseHubAddress } from "./hub.ts";

/** The source of a model, from `--model`. */
export type ModelSource =
  | { readonly kind: "default"; readonly catalogue?: CatalogueModel }
  | { readonly kind: "file"; readonly path: string; readonly name: string }
  | UrlSource;

export interface UrlSource {
  readonly kind: "url";
  readonly url: URL;
  /** The address to keep and show; without a query, which can be a secret. */
  readonly address: string;
  readonly fileName: string;
  readonly name: string;
  readonly sha256: string | undefined;
  readonly catalogue?: CatalogueModel;
}

/**
 * Parses `--model`: nothing, a name in the catalogue, a path, `https://…/file.gguf` (`#sha256=…` to verify it), or
 * `hf:owner/repo/file.gguf` with an optional `@revision` after the repo.
 * @throws Error that says what to write instead
 */
export function parseModelSource(text: string | undefined): ModelSource {
  if (text === undefined || text === "" || text === "default") return { kind: "default" };
  if (text.startsWith("hf:")) return parseHubSource(text);
  if (/^https?:/i.test(text)) return parseUrl(text);
  const model = findModel(text);
  if (model !== undefined) return catalogueSource(model);
  const path = resolve(text);
  if (existsSync(path)) return { kind: "file", path, name: modelName(basename(path)) };
  if (/[\\/]|\.gguf$/i.test(text))
    throw new Error(
      `There is no model file ${path}. --model takes a name ('stator models' lists them), a GGUF file, an https: URL, or hf:owner/repo/file.gguf.`,
    );
  throw new Error(
    `There is no model '${text}'.${suggestion(text)} 'stator models' lists the names. A GGUF file, an https: URL, or hf:owner/repo/file.gguf will do too.`,
  );
}

/** Where a downloaded model is kept. */
export function storedPath(source: UrlSource | { kind: "default" }, folder: string): string {
  if (source.kind === "default") return join(folder, DEFAULT_MODEL.fileName);
  // Two URLs can end in the same file name.
  const key = createHash("sha256").update(source.url.href).digest("hex").slice(0, 8);
  return join(folder, `${key}-${source.fileName}`);
}

export function catalogueSource(model: CatalogueModel): UrlSource | (ModelSource & { kind: "default" }) {
  if (model.isStartDefault) return { kind: "default", catalogue: model };
  return { ...hubSource({ ...model, file: model.fileName }), name: model.name, catalogue: model };
}

/** The address of a model in the catalogue. */
export const catalogueAddress = (model: CatalogueModel): string =>
  hubAddress({ ...model, file: model.fileName });

/** A file's name as a name in the API. */
export const modelName = (fileName: string) => fileName.replace(/\.gguf$/i, "");

function parseHubSource(text: string): UrlSource {
  return hubSource(parseHubAddress(text));
}

function hubSource(file: ReturnType<typeof parseHubAddress>): UrlSource {
  const { fileName } = file;
  return {
    kind: "url",
    url: hubUrl(file),
    address: hubAddress(file),
    fileName,
    name: modelName(fileName),
    sha256: undefined,
  };
}

function parseUrl(text: string): UrlSource {
  if (!URL.canParse(text)) throw new Error(`'${text}' is not a valid URL.`);
  const url = new URL(text);
  const sha256 = /^#sha256=([0-9a-f]{64})$/i.exec(url.hash)?.[1]?.toLowerCase();
  if (url.hash !== "" && sha256 === undefined) {
    throw new Error(
      "The only fragment allowed after '#' is sha256=<64 hexadecimal digits>, the file's checksum.",
    );
  }
  url.hash = "";
  const fileName = basename(decodeURIComponent(url.pathname));
  if (!fileName.toLowerCase().endsWith(".gguf")) {
    throw new Error(`The URL must end in the name of a .gguf file; '${fileName || url.pathname}' does not.`);
  }
  const address = `${url.origin}${url.pathname}`;
  return { kind: "url", url, address, fileName, name: modelName(fileName), sha256 };
}
