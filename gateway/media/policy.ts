import { within } from "#runtime";
import { invalidRequest } from "../kernel/errors.ts";
import { isPrivateAddress, isPrivateName } from "./private-hosts.ts";

/**
 * From which hosts media may be fetched. `public`: those that are not in a private network; `any`: all; a list: these
 * hosts and their subdomains. The list may be empty.
 */
export type MediaDomains = "public" | "any" | readonly string[];

/** @throws if the name cannot be resolved */
export type ResolveHost = (host: string) => Promise<readonly string[]>;

/** Timeout for resolving a name, in milliseconds: what cannot be resolved cannot be fetched either. */
const RESOLVE_MS = 2_000;

/** An address, checked by its spelling. */
export interface CheckedUrl {
  readonly url: URL;
  /** Whether an address that a name resolves to may be connected to. */
  allowsAddress(address: string): boolean;
}

/**
 * Checks the address of a medium by its spelling.
 * @param path of the field, for errors
 * @throws ApiError 400 for an address that may not be fetched
 */
export function checkUrl(text: string, path: string, domains: MediaDomains): CheckedUrl {
  const url = plainUrl(text);
  if (url === undefined)
    throw notAllowed(path, "it is not a plain http: or https: URL; send the data itself as data:…");
  const host = url.hostname.replace(/\.$/, "");
  if (domains === "any") return { url, allowsAddress: () => true };
  if (domains === "public") {
    if (isPrivateName(host))
      throw notAllowed(path, "it is an address in a private network; send the data itself as data:…");
    return { url, allowsAddress: (address) => !isPrivateAddress(address) };
  }
  if (!domains.some((domain) => host === domain || host.endsWith(`.${domain}`)))
    throw notAllowed(path, "its host is not allowed; send the data itself as data:…");
  return { url, allowsAddress: () => true };
}

/**
 * Checks the addresses of a host, for runtimes that cannot check them as they connect.
 * @throws ApiError 400 if one may not be fetched from
 */
export async function checkHost(
  { url, allowsAddress }: CheckedUrl,
  path: string,
  resolveHost: ResolveHost,
): Promise<void> {
  if (/^\[|^[\d.]+$/.test(url.hostname)) return;
  const late = () => new Error("The name is not resolved in time.");
  const addresses = await within(RESOLVE_MS, resolveHost(url.hostname), late).catch(() => []);
  if (!addresses.every(allowsAddress)) throw privateHost(path);
}

export const privateHost = (path: string) =>
  notAllowed(path, "its host is in a private network; send the data itself as data:…");

export const notAllowed = (path: string, why: string) =>
  invalidRequest(
    `Invalid value for '${path}': it may not be fetched: ${why}. The server's operator decides what may be.`,
    path,
    "media_url_not_allowed",
  );

/** Undefined for an address that other parsers might read differently. */
function plainUrl(address: string): URL | undefined {
  if (/[\s\\\p{Cc}]/u.test(address)) return undefined;
  try {
    const url = new URL(address);
    const isWeb = url.protocol === "http:" || url.protocol === "https:";
    return isWeb && url.username === "" && url.password === "" ? url : undefined;
  } catch {
    return undefined;
  }
}
