import { readFile } from "node:fs/promises";
import { DiscoveryError } from "../types.ts";

/** Where etcd is, and how this process identifies itself to it. */
export interface EtcdAddress {
  /** `host:port` of each member. */
  readonly members: readonly string[];
  /** Before every key; begins and ends with a slash. */
  readonly prefix: string;
  readonly user: string | undefined;
  readonly password: string | undefined;
  /** PEM texts, where TLS is to be used; the system's authorities are trusted where `ca` is undefined. */
  readonly tls: EtcdTls | undefined;
}

export interface EtcdTls {
  readonly ca: Buffer | undefined;
  readonly cert: Buffer | undefined;
  readonly key: Buffer | undefined;
}

const FORM = "etcd://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]…][/PREFIX][?tls&ca=FILE&cert=FILE&key=FILE]";
const DEFAULT_PORT = 2379;
const DEFAULT_PREFIX = "/stator/";
const OPTIONS = new Set(["tls", "ca", "cert", "key"]);

/**
 * @param place the URL without its scheme
 * @throws DiscoveryError `bad_url` where it is malformed or names a file that cannot be read
 */
export async function readEtcdAddress(place: string): Promise<EtcdAddress> {
  const match = /^\/\/(?:([^@/?]*)@)?([^/?@]+)(\/[^?]*)?(?:\?(.*))?$/s.exec(place);
  if (match === null) throw malformed("it has no host");
  const [, login, hosts = "", path = "", query = ""] = match;
  const options = new URLSearchParams(query);
  for (const name of options.keys()) if (!OPTIONS.has(name)) throw malformed(`there is no option '${name}'`);
  if (options.has("cert") !== options.has("key")) throw malformed("'cert' and 'key' go together");
  const name = path.replaceAll(/^\/+|\/+$/g, "");
  const [user, password] = login === undefined ? [] : loginOf(login);
  return {
    members: hosts.split(",").map(memberOf),
    prefix: name === "" ? DEFAULT_PREFIX : `/${decoded(name)}/`,
    user,
    password,
    tls: options.size === 0 ? undefined : await readTls(options),
  };
}

async function readTls(options: URLSearchParams): Promise<EtcdTls> {
  const [ca, cert, key] = await Promise.all(
    ["ca", "cert", "key"].map((name) => readPem(name, options.get(name))),
  );
  return { ca, cert, key };
}

async function readPem(name: string, path: string | null): Promise<Buffer | undefined> {
  if (path === null) return undefined;
  try {
    return await readFile(path);
  } catch (error) {
    throw malformed(`its '${name}' cannot be read (${(error as Error).message})`);
  }
}

function memberOf(host: string): string {
  const match = /^(\[[0-9a-f:.]+\]|[^:[\]\s]+)(?::(\d{1,5}))?$/i.exec(host);
  const port = Number(match?.[2] ?? DEFAULT_PORT);
  if (match === null || port < 1 || port > 65_535) throw malformed(`'${host}' is not HOST or HOST:PORT`);
  return `${match[1]}:${port}`;
}

function loginOf(login: string): [string, string] {
  const colon = login.indexOf(":");
  if (colon <= 0) throw malformed("a user needs a password: USER:PASSWORD@");
  return [decoded(login.slice(0, colon)), decoded(login.slice(colon + 1))];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw malformed("it has a '%' that encodes nothing");
  }
}

const malformed = (why: string) =>
  new DiscoveryError("bad_url", `This etcd URL is malformed: ${why}. Write ${FORM}.`);
