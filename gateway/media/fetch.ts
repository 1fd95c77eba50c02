import { messageOf } from "#runtime";
import { joinBytes } from "../kernel/bytes.ts";
import { ApiError, invalidRequest } from "../kernel/errors.ts";
import type { ByteTools } from "./byte-tools.ts";
import { type CheckedUrl, checkUrl, type MediaDomains } from "./policy.ts";

/** An answer to a request for a medium, to the end of its headers. */
export interface OpenedUrl {
  readonly status: number;
  /** @param name in lower case */
  header(name: string): string | undefined;
  readonly body: AsyncIterable<Uint8Array>;
  /** Closes the connection. */
  cancel(): void;
}

/**
 * Sends a GET request, and follows no redirect.
 * @throws ApiError 400 if the host's addresses are not allowed, Error with the reason as a sentence if it does not answer
 */
export type OpenUrl = (checked: CheckedUrl, path: string, signal: AbortSignal) => Promise<OpenedUrl>;

export interface FetchLimits {
  readonly domains: MediaDomains;
  /** Largest medium in bytes. */
  readonly maxBytes: number;
  /** For one medium with all its redirects, in milliseconds. */
  readonly timeoutMs: number;
  /** Most bytes that are kept of what was fetched. */
  readonly cacheBytes: number;
}

const MOST_REDIRECTS = 5;
/** For how long a medium is kept whose server does not say, in milliseconds, and for how long at most. */
const TTL_MS = 60_000;
const LONGEST_TTL_MS = 3_600_000;
/** How many are fetched at once for all requests. */
const MOST_AT_ONCE = 64;

interface Cached {
  /** Base64. */
  readonly content: Uint8Array;
  readonly expiresAt: number;
}

/** Fetches media for clients, so that engines need not: each once, however many ask. */
export class MediaFetcher {
  readonly #open: OpenUrl;
  readonly #limits: FetchLimits;
  readonly #tools: ByteTools;
  /** Least recently used first. */
  readonly #cached = new Map<string, Cached>();
  readonly #pending = new Map<string, Promise<Cached>>();
  #bytes = 0;

  constructor(open: OpenUrl, limits: FetchLimits, tools: ByteTools) {
    this.#open = open;
    this.#limits = limits;
    this.#tools = tools;
  }

  /** @throws ApiError 400 if the address may not be fetched, as far as its spelling tells */
  check(address: string, path: string): void {
    checkUrl(address, path, this.#limits.domains);
  }

  /**
   * @param path of the field, for errors
   * @param owner whose requests share what was fetched
   * @returns base64
   * @throws ApiError 400 if it may not, or cannot, be fetched; 503 if too many are being fetched
   */
  async fetch(address: string, path: string, owner: string): Promise<Uint8Array> {
    const checked = checkUrl(address, path, this.#limits.domains);
    const key = `${owner} ${checked.url.href}`;
    const cached = this.#cached.get(key);
    if (cached !== undefined) {
      this.#forget(key, cached);
      if (cached.expiresAt > performance.now()) {
        this.#keep(key, cached);
        return cached.content;
      }
    }
    const pending = this.#pending.get(key) ?? this.#begin(key, checked, path);
    return (await pending).content;
  }

  #begin(key: string, checked: CheckedUrl, path: string): Promise<Cached> {
    if (this.#pending.size >= MOST_AT_ONCE) throw tooManyFetches();
    const pending = this.#load(checked, path).finally(() => this.#pending.delete(key));
    this.#pending.set(key, pending);
    pending.then(
      (found) => {
        if (found.expiresAt > performance.now()) this.#keep(key, found);
      },
      () => {},
    );
    return pending;
  }

  async #load(first: CheckedUrl, path: string): Promise<Cached> {
    const signal = AbortSignal.timeout(this.#limits.timeoutMs);
    let checked = first;
    try {
      for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
        const opened = await this.#open(checked, path, signal);
        const location = isRedirect(opened.status) ? opened.header("location") : undefined;
        if (location === undefined) return await this.#read(opened, path);
        opened.cancel();
        // A public address may lead to a private one.
        checked = checkUrl(resolved(location, checked.url), path, this.#limits.domains);
      }
      throw new Error(`It redirects more than ${MOST_REDIRECTS} times.`);
    } catch (error) {
      if (error instanceof ApiError) throw error;
      const reason = signal.aborted
        ? `It did not arrive within ${this.#limits.timeoutMs / 1000} s.`
        : messageOf(error);
      throw notFetched(path, reason);
    }
  }

  async #read(opened: OpenedUrl, path: string): Promise<Cached> {
    const { maxBytes } = this.#limits;
    try {
      if (opened.status !== 200) throw new Error(`Its server answered with status ${opened.status}.`);
      if (Number(opened.header("content-length") ?? 0) > maxBytes) throw tooLarge(path, maxBytes);
      const pieces: Uint8Array[] = [];
      let size = 0;
      for await (const piece of opened.body) {
        size += piece.length;
        if (size > maxBytes) throw tooLarge(path, maxBytes);
        pieces.push(piece);
      }
      const ttlMs = ttlOf(opened.header("cache-control") ?? "");
      return { content: this.#tools.encodeBase64(joinBytes(pieces)), expiresAt: performance.now() + ttlMs };
    } finally {
      opened.cancel();
    }
  }

  #keep(key: string, cached: Cached): void {
    const { cacheBytes } = this.#limits;
    if (cached.content.length > cacheBytes / 4 || this.#cached.has(key)) return;
    this.#cached.set(key, cached);
    this.#bytes += cached.content.length;
    for (const [oldest, each] of this.#cached) {
      if (this.#bytes <= cacheBytes) return;
      this.#forget(oldest, each);
    }
  }

  #forget(key: string, { content }: Cached): void {
    if (this.#cached.delete(key)) this.#bytes -= content.length;
  }
}

const isRedirect = (status: number) => [301, 302, 303, 307, 308].includes(status);

function resolved(location: string, base: URL): string {
  try {
    return new URL(location, base).href;
  } catch {
    throw new Error("It redirects to an address that is none.");
  }
}

/** How long a medium may be kept, in milliseconds (RFC 9111, section 5.2). */
function ttlOf(cacheControl: string): number {
  if (/no-store|no-cache|private/i.test(cacheControl)) return 0;
  const [, seconds] = /max-age\s*=\s*"?(\d{1,9})/i.exec(cacheControl) ?? [];
  return seconds === undefined ? TTL_MS : Math.min(Number(seconds) * 1000, LONGEST_TTL_MS);
}

export const tooLarge = (path: string, maxBytes: number) =>
  invalidRequest(
    `Invalid value for '${path}': the medium is larger than this server's limit of ${maxBytes} bytes. Send a smaller one.`,
    path,
    "media_too_large",
  );

const notFetched = (path: string, reason: string) =>
  invalidRequest(
    `Invalid value for '${path}': the medium could not be fetched. ${reason} Send the data itself as data:….`,
    path,
    "media_not_fetched",
  );

const tooManyFetches = () =>
  new ApiError(
    503,
    "service_unavailable_error",
    "The gateway is already fetching as many media as it may. Try again in a few seconds, or send the data itself as data:….",
    { code: "server_busy", headers: { "retry-after": "2" } },
  );
