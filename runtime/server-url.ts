import { readFile } from "node:fs/promises";

/** A URL of one or more servers of a system: `//user:password@host:port,other:port/path?option=value`. */
export interface ServerUrl {
  /** `host:port` of each server. */
  readonly hosts: readonly string[];
  /** The path, without slashes at its ends; may be empty. */
  readonly path: string;
  readonly user: string | undefined;
  /** The user's password, or a token if there is no user. */
  readonly secret: string | undefined;
  readonly options: ReadonlyMap<string, string>;
}

export interface ServerUrlForm {
  /** The name of the system, for messages. */
  readonly name: string;
  /** The form of its URLs, for messages. */
  readonly form: string;
  readonly defaultPort: number;
  /** Names of the options after the question mark. */
  readonly options: readonly string[];
}

/** An unusable URL. The message contains the reason and the correct form. */
export class ServerUrlError extends Error {
  constructor({ name, form }: ServerUrlForm, why: string) {
    super(`This ${name} URL is malformed: ${why}. Write ${form}.`);
    this.name = "ServerUrlError";
  }
}

/** PEM files for a TLS connection; if `ca` is undefined, the system's certificate authorities are trusted. */
export interface TlsFiles {
  readonly ca: Buffer | undefined;
  readonly cert: Buffer | undefined;
  readonly key: Buffer | undefined;
}

/**
 * @param place the URL without its scheme
 * @throws ServerUrlError
 */
export function parseServerUrl(place: string, form: ServerUrlForm): ServerUrl {
  const malformed = (why: string) => new ServerUrlError(form, why);
  const decoded = (text: string): string => {
    try {
      return decodeURIComponent(text);
    } catch {
      throw malformed("it has an invalid percent encoding");
    }
  };
  const hostOf = (host: string): string => {
    const match = /^(\[[0-9a-f:.]+\]|[^:[\]\s]+)(?::(\d{1,5}))?$/i.exec(host);
    const port = Number(match?.[2] ?? form.defaultPort);
    if (match === null || port < 1 || port > 65_535) throw malformed(`'${host}' is not HOST or HOST:PORT`);
    return `${match[1]}:${port}`;
  };

  const match = /^\/\/(?:([^@/?]*)@)?([^/?@]+)(\/[^?]*)?(?:\?(.*))?$/s.exec(place);
  if (match === null) throw malformed("it has no host");
  const [, login, hosts = "", path = "", query = ""] = match;
  const options = new Map(new URLSearchParams(query));
  for (const name of options.keys())
    if (!form.options.includes(name)) throw malformed(`there is no option '${name}'`);
  if (options.has("cert") !== options.has("key")) throw malformed("'cert' and 'key' must be given together");
  const [first = "", ...rest] = (login ?? "").split(":").map(decoded);
  const hasUser = rest.length > 0;
  return {
    hosts: hosts.split(",").map(hostOf),
    path: decoded(path.replaceAll(/^\/+|\/+$/g, "")),
    user: hasUser ? first : undefined,
    secret: hasUser ? rest.join(":") : first || undefined,
    options,
  };
}

/**
 * Reads the files named by the options `ca`, `cert` and `key`.
 * @returns undefined if the URL does not enable TLS
 * @throws ServerUrlError if one cannot be read
 */
export async function readTlsFiles(url: ServerUrl, form: ServerUrlForm): Promise<TlsFiles | undefined> {
  if (!["tls", "ca", "cert"].some((name) => url.options.has(name))) return undefined;
  const [ca, cert, key] = await Promise.all(
    ["ca", "cert", "key"].map((name) => readUrlFile(url, name, form)),
  );
  return { ca, cert, key };
}

/** Reads the file named by an option; undefined without the option. @throws ServerUrlError if it cannot be read */
export async function readUrlFile(
  { options }: ServerUrl,
  name: string,
  form: ServerUrlForm,
): Promise<Buffer | undefined> {
  const path = options.get(name);
  if (path === undefined) return undefined;
  try {
    return await readFile(path);
  } catch (error) {
    throw new ServerUrlError(form, `its '${name}' cannot be read (${(error as Error).message})`);
  }
}
