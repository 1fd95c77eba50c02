import { invalidRequest } from "../kernel/errors.ts";
import { isPrivateAddress, isPrivateName } from "./private-hosts.ts";

/**
 * What engines may be made to fetch for a request. `public`: what is not plainly of this network; `any`: everything;
 * a list: these hosts and those under them, which may be none.
 */
export type MediaPolicy = "public" | "any" | readonly string[];

/** @throws where the name cannot be resolved */
export type ResolveHost = (host: string) => Promise<readonly string[]>;

export interface MediaRules {
  readonly policy: MediaPolicy;
  /** Undefined where names cannot be resolved: then they are judged by how they are written alone. */
  readonly resolveHost: ResolveHost | undefined;
}

/** Fields of a message's part that hold an address, or an object with one. */
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

/** Fields of a body that hold no media whatever stands in them. */
const NO_MEDIA = new Set([
  "tools",
  "functions",
  "response_format",
  "metadata",
  "stator",
  "text",
  "logit_bias",
]);

/** How deep parts may lie in a body. */
const DEEPEST = 12;

/** Names that are resolved for one request. */
const MOST_NAMES = 64;
/** How long a name may take, in milliseconds: an engine that cannot resolve it does not fetch either. */
const RESOLVE_MS = 2_000;

/**
 * Looks at the addresses that a request would make an engine fetch from.
 * @throws ApiError 400 for one that the policy does not allow, with its place in the body
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
  if (names.size > MOST_NAMES)
    throw invalidRequest(`The request has addresses of more than ${MOST_NAMES} hosts; send fewer at once.`);
  await Promise.all(Array.from(names, ([host, path]) => checkName(host, path, resolveHost)));
}

type Visit = (address: string, path: string) => void;

function walk(value: unknown, path: string, depth: number, visit: Visit): void {
  if (typeof value !== "object" || value === null || depth > DEEPEST) return;
  if (Array.isArray(value)) {
    value.forEach((item, index) => {
      // Token ids need no look at each.
      if (typeof item === "object") walk(item, `${path}[${index}]`, depth + 1, visit);
    });
    return;
  }
  for (const [name, inner] of Object.entries(value)) {
    const place = path === "" ? name : `${path}.${name}`;
    if (MEDIA_FIELDS.includes(name)) {
      for (const item of Array.isArray(inner) ? inner : [inner]) {
        const address: unknown = typeof item === "string" ? item : Reflect.get(Object(item), "url");
        // What a document names as its source need not be an address.
        const isMedia = name !== "source" || typeof item !== "string" || SCHEME.test(item);
        if (typeof address === "string" && isMedia) visit(address, place);
      }
    }
    walk(inner, place, depth + 1, visit);
  }
}

const SCHEME = /^\s*[a-z][a-z\d+.-]*:/i;

/** @returns the host, where it has a name that is to be resolved */
function checkAddress(
  address: string,
  path: string,
  policy: Exclude<MediaPolicy, "any">,
): string | undefined {
  if (/^\s*data:/i.test(address)) return undefined;
  if (!SCHEME.test(address)) {
    // Some engines open what is no address as a file of theirs.
    if (isBase64(address)) return undefined;
    throw refused(
      path,
      "it is neither an http: or https: address nor base64; send the data itself as data:…",
    );
  }
  const host = hostOf(address);
  if (host === undefined)
    throw refused(path, "it is no plain http: or https: address; send the data itself as data:…");
  if (policy === "public") {
    if (isPrivateName(host))
      throw refused(path, "it is an address of a private network; send the data itself");
    return /^\[|^[\d.]+$/.test(host) ? undefined : host;
  }
  if (!policy.some((domain) => host === domain || host.endsWith(`.${domain}`)))
    throw refused(path, "its host is not one of those allowed; send the data itself as data:…");
  return undefined;
}

/** The engine will resolve it once more, perhaps otherwise: its own network has the last word. */
async function checkName(host: string, path: string, resolveHost: ResolveHost): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<readonly string[]>((resolve) => {
    timer = setTimeout(() => resolve([]), RESOLVE_MS);
  });
  const addresses = await Promise.race([resolveHost(host).catch(() => []), late]);
  clearTimeout(timer);
  if (addresses.some(isPrivateAddress))
    throw refused(path, "its host is in a private network; send the data itself as data:…");
}

/** A path may look so too; one with a slash in it would be shorter than any picture. */
function isBase64(text: string): boolean {
  const value = text.trim();
  if (!/^[\w+/\s-]*={0,2}$/.test(value)) return false;
  // A JPEG begins so.
  if (value.startsWith("/")) return value.startsWith("/9j/") && value.length > SHORTEST_MEDIA;
  return !value.includes("/") || value.length > SHORTEST_MEDIA;
}

/** In characters of base64. */
const SHORTEST_MEDIA = 32;

const refused = (path: string, why: string) =>
  invalidRequest(
    `Invalid value for '${path}': engines may not fetch from there: ${why} (--media-domains).`,
    path,
    "media_url_not_allowed",
  );

/** The host in lower case; undefined for what other readers of addresses might take for another one. */
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
