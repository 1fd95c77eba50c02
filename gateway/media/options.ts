import type { ByteTools } from "./byte-tools.ts";
import { MediaFetcher, type OpenUrl } from "./fetch.ts";
import type { MediaDomains } from "./policy.ts";
import type { MediaRules } from "./read-media.ts";

/** What media clients may send. */
export interface MediaOptions {
  /** Whether the gateway fetches media that requests name by a URL; if not, it refuses them. Default false. */
  readonly fetches?: boolean | undefined;
  /** Default `public`. */
  readonly domains?: MediaDomains | undefined;
  /** Largest medium in bytes. Default 25 MiB. */
  readonly maxBytes?: number | undefined;
  /** Most media in one request. Default 100. */
  readonly maxCount?: number | undefined;
  /** Most pixels of one image. Default 100 million. */
  readonly maxPixels?: number | undefined;
  /** For fetching one medium, in milliseconds. Default 10 s. */
  readonly timeoutMs?: number | undefined;
  /** Most bytes that are kept of what was fetched. Default 64 MiB. */
  readonly cacheBytes?: number | undefined;
}

export const MEDIA_DEFAULTS = {
  maxBytes: 25 * 1024 * 1024,
  maxCount: 100,
  maxPixels: 100_000_000,
  timeoutMs: 10_000,
  cacheBytes: 64 * 1024 * 1024,
};

export function mediaRules(options: MediaOptions, tools: ByteTools, openUrl: OpenUrl): MediaRules {
  const { fetches = false, domains = "public", ...limits } = options;
  const given = Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined));
  const { maxBytes, maxCount, maxPixels, timeoutMs, cacheBytes } = { ...MEDIA_DEFAULTS, ...given };
  const fetcher = fetches
    ? new MediaFetcher(openUrl, { domains, maxBytes, timeoutMs, cacheBytes }, tools)
    : undefined;
  return { fetcher, maxBytes, maxCount, maxPixels, tools };
}
