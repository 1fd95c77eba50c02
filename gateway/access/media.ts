import { within } from "#runtime";
import { invalidRequest } from "../kernel/errors.ts";
import { isPrivateAddress, isPrivateName } from "./private-hosts.ts";

/**
 * Which media engines may fetch for a request. `public`: from hosts that are not in a private network; `any`: all;
 * a list: from these hosts and their subdomains. The list may be empty.
 */
export type MediaPolicy = "public" | "any" | readonly string[];

/** @throws if the name cannot be resolved */
export type ResolveHost = (host: string) => Promise<readonly string[]>;

export interface MediaRules {
  readonly policy: MediaPolicy;
  /** Undefined if the runtime cannot resolve names; they are then judged only by their spelling. */
  readonly resolveHost: ResolveHost | undefined;
}

/** Fields of a message part that hold an address, or an object with one. */
const MEDIA_FIELDS = [
  "image_url",
  "audio_url",
  "video_url",
  "file_url",
  "image",
  "images",
  "audio",
  "video",
  "source",
];

/** Top-level fields that never hold media. */
const NO_MEDIA = new Set([
  "tools",
  "functions",
  "response_format",
  "metadata",
  "stator",
  "text",
  "logit_bias",
]);

/** How deep a body is searched. */
const MAX_DEPTH = 12;

/** Most names that are resolved for one request. */
const MAX_NAMES = 64;
/** Timeout for resolving a name, in milliseconds: an engine that cannot resolve it cannot fetch from it either. */
const RESOLVE_MS = 2_000;

/**
 * Checks the addresses that a request would make an engine fetch.
 * @throws ApiError 400 for an address that the policy does not allow, with its path in the body
 */
export async function checkMedia(
  body: Readonly<Record<string, unknown>> | undefined,
  { policy, resolveHost }: MediaRules,
): Promise<void> {
  if (body === undefined || policy === "any") return;
  const rest = Object.fromEntries(Object.entries(body).filter(([name]) => !NO_MEDIA.has(name)));
  const names = new Map<string, string>();
  walk(rest, "", 0, (address, path) => {
    const host = checkAddress(address, path, policy);
    if (host !== undefined) names.set(host, path);
  });
  if (resolveHost === undefined || policy !== "public" || names.size === 0) return;
  if (names.size > MAX_NAMES)
    throw invalidRequest(`The request has media from more than ${MAX_NAMES} hosts; send fewer at once.`);
  await Promise.all(Array.from(names, ([host, path]) => checkName(host, path, resolveHost)));
}

type Visit = (address: string, path: string) => void;

function walk(value: unknown, path: string, depth: number, visit: Visit): void {
  if (typeof value !== "object" || value === null || depth > MAX_DEPTH) return;
  if (Array.isArray(value)) {
    value.forEach((item, index) => {
      // Skips token ids cheaply.
      if (typeof item === "object") walk(item, `${path}[${index}]`, depth + 1, visit);
    });
    return;
  }
  for (const [name, inner] of Object.entries(value)) {
    const place = path === "" ? name : `${path}.${name}`;
    if (MEDIA_FIELDS.includes(name)) {
      for (const item of Array.isArray(inner) ? inner : [inner]) {
        const address: unknown = typeof item === "string" ? item : Reflect.get(Object(item), "url");
        // A document's source need not be an address.
        const isMedia = name !== "source" || typeof item !== "string" || SCHEME.test(item);
        if (typeof address === "string" && isMedia) visit(address, place);
      }
    }
    walk(inner, place, depth + 1, visit);
  }
}

const SCHEME = /^\s*[a-z][a-z\d+.-]*:/i;

/** @returns the host, if it is a name that must be resolved */
function checkAddress(
  address: string,
  path: string,
  policy: Exclude<MediaPolicy, "any">,
): string | undefined {
  if (/^\s*data:/i.test(address)) return undefined;
  if (!SCHEME.test(address)) {
    // Some engines open anything that is not an address as a local file.
    if (isBase64(address)) return undefined;
    throw refused(path, "it is neither an http: or https: URL nor base64; send the data itself as data:…");
  }
  const host = hostOf(address);
  if (host === undefined)
    throw refused(path, "it is not a plain http: or https: URL; send the data itself as data:…");
  if (policy === "public") {
    if (isPrivateName(host))
      throw refused(path, "it is an address in a private network; send the data itself as data:…");
    return /^\[|^[\d.]+$/.test(host) ? undefined : host;
  }
  if (!policy.some((domain) => host === domain || host.endsWith(`.${domain}`)))
    throw refused(path, "its host is not allowed; send the data itself as data:…");
  return undefined;
}

/** The engine resolves the name again, perhaps differently, so its own network must be protected too. */
async function checkName(host: string, path: string, resolveHost: ResolveHost): Promise<void> {
  const late = () => new Error("The name is not resolved in time.");
  const addresses = await within(RESOLVE_MS, resolveHost(host), late).catch(() => []);
  if (addresses.some(isPrivateAddress))
    throw refused(path, "its host is in a private network; send the data itself as data:…");
}

/** A path may also look like base64, but one with a slash is shorter than any image. */
function isBase64(text: string): boolean {
  const value = text.trim();
  if (!/^[\w+/\s-]*={0,2}$/.test(value)) return false;
  // The start of every JPEG.
  if (value.startsWith("/")) return value.startsWith("/9j/") && value.length > SHORTEST_MEDIA;
  return !value.includes("/") || value.length > SHORTEST_MEDIA;
}

/** In base64 characters. */
const SHORTEST_MEDIA = 32;

const refused = (path: string, why: string) =>
  invalidRequest(
    `Invalid value for '${path}': engines may not fetch it: ${why} (--media-domains).`,
    path,
    "media_url_not_allowed",
  );

/** The host in lower case; undefined for an address that other parsers might read differently. */
function hostOf(address: string): string | undefined {
  if (/[\s\\\p{Cc}]/u.test(address)) return undefined;
  try {
    const { protocol, hostname, username, password } = new URL(address);
    const isWeb = protocol === "http:" || protocol === "https:";
    return isWeb && username === "" && password === "" ? hostname.replace(/\.$/, "") : undefined;
  } catch {
    return undefined;
  }
}
