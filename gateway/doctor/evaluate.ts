import { evaluateCachedTokens } from "./evaluate-cached-tokens.ts";
import { evaluateEvents } from "./evaluate-events.ts";
import { evaluateMedia } from "./evaluate-media.ts";
import type { Evidence } from "./evidence.ts";
import type { Check } from "./types.ts";

/** Interprets the evidence as checks, each of which depends on those before it. */
export function evaluate(evidence: Evidence): Check[] {
  if (evidence.isHalf)
    return [ANSWERS, HALF, evaluatePrefixCaching(evidence), ...evaluateLimitations(evidence)];
  return [
    ...evaluateAnswers(evidence),
    evaluatePrefixCaching(evidence),
    ...evaluateEvents(evidence),
    evaluateCachedTokens(evidence),
    ...evaluateMedia(evidence),
    ...evaluateLimitations(evidence),
  ];
}

const ANSWERS: Check = { id: "answers", status: "ok", text: "It can be reached, and its kind is known." };
const HALF: Check = {
  id: "test-request",
  status: "skipped",
  text: "It answers only together with an engine of the other role; see below.",
};

function evaluateAnswers({ failure, prompt, first }: Evidence): Check[] {
  if (failure === undefined) {
    const tokens = first?.promptTokens ?? prompt.tokens.length;
    const text = `It answered a test request of ${tokens} tokens.`;
    return [ANSWERS, { id: "test-request", status: "ok", text }];
  }
  return [
    ANSWERS,
    {
      id: "test-request",
      status: "problem",
      text: `It did not answer a test request: ${failure}`,
      cost: "Other requests to it will fail in the same way, and the checks below could not be run.",
      fix: "Check the engine's log; if it is only slow, allow more time with --timeout.",
    },
  ];
}

function evaluatePrefixCaching({ profile }: Evidence): Check {
  const limitation = profile.limitations.find(({ code }) => code === "prefix-caching");
  if (profile.hasPrefixCaching === false || limitation !== undefined) {
    return {
      id: "prefix-caching",
      status: "problem",
      text: "Its prefix caching is off: it discards the KV cache of each prompt.",
      cost: "Every request recomputes its whole prompt, wherever it is sent; routing cannot save anything.",
      fix: "Turn on its prefix caching.",
      flag: limitation?.flag,
    };
  }
  if (profile.hasPrefixCaching === undefined)
    return {
      id: "prefix-caching",
      status: "skipped",
      text: "It does not report whether it has prefix caching.",
    };
  return {
    id: "prefix-caching",
    status: "ok",
    text: "It reuses the KV cache of a prompt for others with the same prefix (prefix caching).",
  };
}

/** Other limitations, none of which prevents KV routing. */
function evaluateLimitations({ profile }: Evidence): Check[] {
  return profile.limitations.flatMap(({ code, what, flag }): Check[] =>
    code === "replay" || code === "load"
      ? [{ id: code, status: "note", text: `${what[0]!.toUpperCase()}${what.slice(1)}.`, flag }]
      : [],
  );
}
