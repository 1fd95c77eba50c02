import type { Evidence } from "./evidence.ts";
import type { Check } from "./types.ts";

const id = "cached-tokens";

/** Whether the engine reuses the test prompt's blocks when it comes again, and says so. */
export function judgeCachedTokens(evidence: Evidence): Check {
  const { adapter, second, countedHits, prompt, blockSize, profile } = evidence;
  if (second === undefined)
    return { id, status: "skipped", text: "No test request was answered a second time." };
  if (profile.hasPrefixCaching === false)
    return { id, status: "skipped", text: "Without prefix caching, nothing can come from its cache." };
  // Engines compute the last token of a prompt anew, and its block with it.
  const expected = Math.floor((prompt.tokens.length - 1) / blockSize) * blockSize;
  const { cachedTokens } = second;
  if (cachedTokens === undefined) return silent(adapter.cachedTokensFlag, countedHits);
  // Without the engine's own tokens, what was expected is only an estimate.
  const isEnough = evidence.reader.isExact ? cachedTokens >= expected - blockSize : cachedTokens > 0;
  if (isEnough)
    return {
      id,
      status: "ok",
      text: `Sent again, ${cachedTokens} tokens of the test prompt came from its cache, and it said so.`,
    };
  return {
    id,
    status: "problem",
    text: `Sent again, only ${cachedTokens} tokens of the test prompt came from its cache, of about ${expected} that should.`,
    cost: "What was computed once is computed again, though the request is sent to the right place.",
    fix: "Look whether its prefix caching is on, and whether it has enough KV blocks for its load.",
  };
}

function silent(flag: string | undefined, countedHits: number | undefined): Check {
  const counted =
    countedHits === undefined
      ? "whether anything came from its cache is not known"
      : countedHits > 0
        ? `by its own metrics, ${countedHits} tokens came from its cache`
        : "by its own metrics, nothing came from its cache";
  return {
    id,
    status: flag === undefined ? "note" : "problem",
    text: `Its answers do not say how much of a prompt came from its cache (${counted}).`,
    cost: "The gateway cannot check its predictions, so nobody is warned when they stop coming true.",
    fix:
      flag === undefined
        ? "This kind of engine has no such answer."
        : "Let it report them; this costs nothing.",
    flag,
  };
}
