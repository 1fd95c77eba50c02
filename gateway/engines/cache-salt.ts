/** The field that chooses whose cached KV a request shares: vLLM's, which SGLang and TensorRT-LLM have too. */
export const CACHE_SALT = "cache_salt";

/** All fields with which clients could choose it themselves. `extra_key` is SGLang's second one. */
export const CACHE_FIELDS: readonly string[] = [CACHE_SALT, "extra_key"];

/**
 * Whether a version has a feature.
 * @param version as an engine reports it; one that is missing, or that is no release, is taken for newer
 * @param first the release that brought the feature: major, minor and patch
 */
export function isAtLeast(version: string | undefined, first: readonly [number, number, number]): boolean {
  const parts = /^v?(\d+)\.(\d+)\.(\d+)/
    .exec(version ?? "")
    ?.slice(1)
    .map(Number);
  if (parts === undefined) return true;
  const at = parts.findIndex((part, index) => part !== first[index]);
  return at < 0 || parts[at]! > first[at]!;
}
