import { invalidRequest } from "../errors.ts";

/**
 * What engines may be made to fetch for a request. `public`: what is not plainly of this network; `any`: everything;
 * a list: these hosts and those under them, which may be none.
 */
export type MediaPolicy = "public" | "any" | readonly string[];

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

/**
 * Looks at the addresses that a request would make an engine fetch from.
 * @throws ApiError 400 for one that the policy does not allow, with its place in the body
 */
export function checkMedia(body: Readonly<Record<string, unknown>> | undefined, policy: MediaPolicy): void {
  if (body === undefined || policy === "any") return;
  const rest = Object.fromEntries(Object.entries(body).filter(([name]) => !NO_MEDIA.has(name)));
  walk(rest, "", policy, 0);
}

function walk(value: unknown, path: string, policy: Exclude<MediaPolicy, "any">, depth: number): void {
  if (typeof value !== "object" || value === null || depth > DEEPEST) return;
  if (Array.isArray(value)) {
    // Token ids need no look at each.
    if (typeof value[0] === "number") return;
    value.forEach((item, index) => {
      walk(item, `${path}[${index}]`, policy, depth + 1);
    });
    return;
  }
  for (const [name, inner] of Object.entries(value)) {
    const place = path === "" ? name : `${path}.${name}`;
    if (MEDIA_FIELDS.includes(name)) {
      for (const item of Array.isArray(inner) ? inner : [inner]) {
        const address: unknown = typeof item === "string" ? item : Reflect.get(Object(item), "url");
        if (typeof address === "string") checkAddress(address, place, policy);
      }
    }
    walk(inner, place, policy, depth + 1);
  }
}

function checkAddress(address: string, path: string, policy: Exclude<MediaPolicy, "any">): void {
  // Plain base64 and data: stay in the request; only what has another scheme is fetched.
  if (!/^\s*[a-z][a-z\d+.-]*:/i.test(address) || /^\s*data:/i.test(address)) return;
  const host = hostOf(address);
  if (host === undefined)
    throw refused(path, "it is no plain http: or https: address; send the data itself as data:…");
  if (policy === "public") {
    if (isOfThisNetwork(host))
      throw refused(path, "it is an address of a private network; send the data itself");
  } else if (!policy.some((domain) => host === domain || host.endsWith(`.${domain}`))) {
    throw refused(path, "its host is not one of those allowed; send the data itself as data:…");
  }
}

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

/** Whether a host is, by how it is written, in a private network. (`URL` has made `0x7f.1` a plain address.) */
function isOfThisNetwork(host: string): boolean {
  if (host.startsWith("[")) return isPrivateV6(host.slice(1, -1));
  if (/^\d+\.\d+\.\d+\.\d+$/.test(host)) return isPrivateV4(host.split(".").map(Number));
  // Names without a dot are found only within a network.
  return !host.includes(".") || /\.(localhost|local|internal|intranet|lan|home|corp|home\.arpa)$/.test(host);
}

function isPrivateV4([a = 0, b = 0]: readonly number[]): boolean {
  return (
    a === 0 ||
    a === 10 ||
    a === 127 ||
    a >= 224 ||
    (a === 100 && b >= 64 && b < 128) ||
    (a === 169 && b === 254) ||
    (a === 172 && b >= 16 && b < 32) ||
    (a === 192 && (b === 168 || b === 0)) ||
    (a === 198 && (b === 18 || b === 19))
  );
}

function isPrivateV6(host: string): boolean {
  // ::, ::1 and everything that carries an IPv4 address: nobody needs those for media.
  if (host.startsWith("::") || host.startsWith("64:ff9b:") || host.startsWith("2002:")) return true;
  // fc00::/7 unique local, fe80::/10 link-local, ff00::/8 multicast
  return /^(f[cd]|fe[89ab]|ff)/.test(host);
}
