import { basename } from "node:path";

/** A file on the hub. */
export interface HubFile {
  /** owner/repo */
  readonly repo: string;
  /** Branch, tag or commit. */
  readonly revision: string;
  /** Path in the repository. */
  readonly file: string;
}

/** The public Hugging Face hub, or a mirror set with HF_ENDPOINT, as in the hub's own tools. */
const hubEndpoint = () => (process.env.HF_ENDPOINT || "https://huggingface.co").replace(/\/+$/, "");

export function hubUrl({ repo, revision, file }: HubFile): URL {
  const path = [...repo.split("/"), "resolve", revision, ...file.split("/")]
    .map(encodeURIComponent)
    .join("/");
  return new URL(`${hubEndpoint()}/${path}`);
}

/** The address as `--model` takes it. */
export const hubAddress = ({ repo, revision, file }: HubFile): string =>
  `hf:${repo}${revision === "main" ? "" : `@${revision}`}/${file}`;

/**
 * Parses `hf:owner/repo@revision/file.gguf`; without a revision, `main`.
 * @throws Error that says what to write instead
 */
export function parseHubAddress(text: string): HubFile & { readonly fileName: string } {
  const match = /^hf:([\w.-]+\/[\w.-]+)(?:@([\w./-]+?))?\/(.+\.gguf)$/i.exec(text);
  if (match === null) {
    throw new Error(`Cannot parse '${text}': write a model on Hugging Face as hf:owner/repo/file.gguf.`);
  }
  const [, repo, revision, file] = match as unknown as [string, string, string | undefined, string];
  return { repo, revision: revision ?? "main", file, fileName: basename(file) };
}
