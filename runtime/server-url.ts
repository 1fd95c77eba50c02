import { readFile } from "node:fs/promises";

/** A URL of servers that are one system: `//user:password@host:port,other:port/path?option=value`. */
export interface ServerUrl {
  /** `host:port` of each server. */
  readonly hosts: readonly string[];
  /** What follows the hosts, without slashes at its ends; empty where nothing does. */
  readonly path: string;
  readonly user: string | undefined;
  /** The user's password, or a token where there is no user. */
  readonly secret: string | undefined;
  readonly options: ReadonlyMap<string, string>;
}

export interface ServerUrlForm {
  /** What people call the system. */
  readonly name: string;
  /** How to write a URL of it, for messages. */
  readonly form: string;
  readonly defaultPort: number;
  /** Names of the options after the question mark. */
  readonly options: readonly string[];
}

/** A URL that cannot be used. The message says what is wrong with it, and how to write it. */
export class ServerUrlError extends Error {
  constructor({ name, form }: ServerUrlForm, why: string) {
    super(`This ${name} URL is malformed: ${why}. Write ${form}.`);
    this.name = "ServerUrlError";
  }
}

/** PEM texts for a TLS connection; the system's authorities are trusted where `ca` is undefined. */
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
      throw malformed("it has a '%' that encodes nothing");
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
  if (options.has("cert") !== options.has("key")) throw malformed("'cert' and 'key' go together");
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
 * Reads the files that the options `ca`, `cert` and `key` name.
 * @returns undefined where the URL does not ask for TLS
 * @throws ServerUrlError where one cannot be read
 */
export async function readTlsFiles(url: ServerUrl, form: ServerUrlForm): Promise<TlsFiles | undefined> {
  if (!["tls", "ca", "cert"].some((name) => url.options.has(name))) return undefined;
  const [ca, cert, key] = await Promise.all(
    ["ca", "cert", "key"].map((name) => readUrlFile(url, name, form)),
  );
  return { ca, cert, key };
}

/** The file that an option names; undefined where the URL does not have it. @throws ServerUrlError */
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
