import { existsSync } from "node:fs";
import { basename, resolve } from "node:path";

/** The source of a model, from `--model`. */
export type ModelSource =
  | { kind: "default" }
  | { kind: "file"; path: string; name: string }
  | { kind: "url"; url: URL; fileName: string; name: string; sha256: string | undefined };

/** The public Hugging Face hub, or a mirror set with HF_ENDPOINT, as in the hub's own tools. */
const hubEndpoint = () => (process.env.HF_ENDPOINT || "https://huggingface.co").replace(/\/+$/, "");

/**
 * Parses `--model`: nothing, a path, `https://…/file.gguf` (`#sha256=…` to verify it), or
 * `hf:owner/repo/file.gguf` with an optional `@revision` after the repo.
 * @throws Error that says what to write instead
 */
export function parseModelSource(text: string | undefined): ModelSource {
  if (text === undefined || text === "" || text === "default") return { kind: "default" };
  if (text.startsWith("hf:")) return parseHubSource(text);
  if (/^https?:/i.test(text)) return parseUrl(text);
  const path = resolve(text);
  if (!existsSync(path)) {
    throw new Error(
      `There is no model file ${path}. --model takes a GGUF file, an https: URL, or hf:owner/repo/file.gguf.`,
    );
  }
  return { kind: "file", path, name: modelName(basename(path)) };
}

/** URL of a file on the hub, at a revision (branch, tag or commit). */
export function hubUrl(repo: string, revision: string, file: string): URL {
  const path = [...repo.split("/"), "resolve", revision, ...file.split("/")]
    .map(encodeURIComponent)
    .join("/");
  return new URL(`${hubEndpoint()}/${path}`);
}

function parseHubSource(text: string): ModelSource {
  const match = /^hf:([\w.-]+\/[\w.-]+)(?:@([\w./-]+?))?\/(.+\.gguf)$/i.exec(text);
  if (match === null) {
    throw new Error(`Cannot parse '${text}': write a model on Hugging Face as hf:owner/repo/file.gguf.`);
  }
  const [, repo, revision, file] = match as unknown as [string, string, string | undefined, string];
  const fileName = basename(file);
  const url = hubUrl(repo, revision ?? "main", file);
  return { kind: "url", url, fileName, name: modelName(fileName), sha256: undefined };
}

function parseUrl(text: string): ModelSource {
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
  return { kind: "url", url, fileName, name: modelName(fileName), sha256 };
}

const modelName = (fileName: string) => fileName.replace(/\.gguf$/i, "");
