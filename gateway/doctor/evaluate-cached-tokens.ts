import type { Evidence } from "./evidence.ts";
import type { Check } from "./types.ts";

const id = "cached-tokens";

/** Checks that the engine reuses the test prompt's blocks on the second request, and reports that. */
export function evaluateCachedTokens(evidence: Evidence): Check {
  const { adapter, second, countedHits, prompt, blockSize, profile } = evidence;
  if (second === undefined)
    return { id, status: "skipped", text: "The engine did not answer a second test request." };
  if (profile.hasPrefixCaching === false)
    return { id, status: "skipped", text: "Without prefix caching, nothing can come from its cache." };
  // Engines recompute the last token of a prompt, and so its block.
  const expected = Math.floor((prompt.tokens.length - 1) / blockSize) * blockSize;
  const { cachedTokens } = second;
  if (cachedTokens === undefined) return silent(adapter.cachedTokensFlag, countedHits);
  // Without the engine's own tokenizer, the expected number is only an estimate.
  const isEnough = evidence.reader.isExact ? cachedTokens >= expected - blockSize : cachedTokens > 0;
  if (isEnough)
    return {
      id,
      status: "ok",
      text: `On the second request, ${cachedTokens} tokens of the test prompt came from its cache, as its answer reports.`,
    };
  return {
    id,
    status: "problem",
    text: `On the second request, only ${cachedTokens} tokens of the test prompt came from its cache; about ${expected} should have.`,
    cost: "It computes the same prefix again, even for requests that are routed correctly.",
    fix: "Check that its prefix caching is on, and that it has enough KV blocks for its load.",
  };
}

function silent(flag: string | undefined, countedHits: number | undefined): Check {
  const counted =
    countedHits === undefined
      ? "whether any of it did is unknown"
      : countedHits > 0
        ? `according to its metrics, ${countedHits} tokens did`
        : "according to its metrics, none of it did";
  return {
    id,
    status: flag === undefined ? "note" : "problem",
    text: `Its answers do not report how much of a prompt came from its cache (${counted}).`,
    cost: "The gateway cannot check its predictions, so it cannot warn when they are wrong.",
    fix:
      flag === undefined
        ? "This kind of engine cannot report cached tokens."
        : "Make it report cached tokens; this costs nothing.",
    flag,
  };
}
