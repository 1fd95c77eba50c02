import type { ListeningOptions } from "#gateway";
import type { media } from "../options/groups/media.ts";
import type { OptionValues } from "../options/spec.ts";

type Options = OptionValues<typeof media>;

/** What media clients may send. */
export function mediaSettings(options: Options): NonNullable<ListeningOptions["access"]>["media"] {
  const domains = options["media-domains"];
  return {
    fetches:
      options.media === undefined ? domains.some((name) => name !== "none") : options.media === "fetch",
    domains: domainsOf(domains),
    maxBytes: options["media-limit"],
    maxCount: options["media-count"],
    maxPixels: options["media-pixels"],
    timeoutMs: options["media-timeout"] * 1000,
    cacheBytes: options["media-cache"],
  };
}

function domainsOf(domains: readonly string[]) {
  if (domains.length === 0) return "public";
  if (domains.includes("any")) return "any";
  return domains.filter((domain) => domain !== "none").map((domain) => domain.toLowerCase());
}
