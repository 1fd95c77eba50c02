import type { Evidence } from "./evidence.ts";
import { judgeCachedTokens } from "./judge-cached-tokens.ts";
import { judgeEvents } from "./judge-events.ts";
import type { Check } from "./types.ts";

/** What the evidence means, in the order in which one thing depends on the other. */
export function judge(evidence: Evidence): Check[] {
  return [
    ...judgeAnswers(evidence),
    judgePrefixCaching(evidence),
    ...judgeEvents(evidence),
    judgeCachedTokens(evidence),
    ...judgeLacks(evidence),
  ];
}

function judgeAnswers({ failure, prompt, first }: Evidence): Check[] {
  const answers: Check = { id: "answers", status: "ok", text: "It can be reached, and says what it is." };
  if (failure === undefined) {
    const tokens = first?.promptTokens ?? prompt.tokens.length;
    const text = `It answered a test request of ${tokens} tokens.`;
    return [answers, { id: "test-request", status: "ok", text }];
  }
  return [
    answers,
    {
      id: "test-request",
      status: "problem",
      text: `It did not answer a test request: ${failure}`,
      cost: "Requests that are sent to it will fail in the same way, and nothing below could be proved.",
      fix: "Look into the engine's log; if it only is slow, give it longer with --timeout.",
    },
  ];
}

function judgePrefixCaching({ profile }: Evidence): Check {
  const limitation = profile.limitations.find(({ code }) => code === "prefix-caching");
  if (profile.hasPrefixCaching === false || limitation !== undefined) {
    return {
      id: "prefix-caching",
      status: "problem",
      text: "Its prefix caching is off: it throws away what it has computed of each prompt.",
      cost: "Every request computes its whole prompt anew, wherever it is sent; routing cannot save anything.",
      fix: "Turn its prefix caching on.",
      flag: limitation?.flag,
    };
  }
  if (profile.hasPrefixCaching === undefined)
    return {
      id: "prefix-caching",
      status: "skipped",
      text: "It does not tell whether it keeps what it has computed of a prompt.",
    };
  return {
    id: "prefix-caching",
    status: "ok",
    text: "It keeps what it has computed of a prompt, for others that begin alike (prefix caching).",
  };
}

/** What is missing beside that. Nothing of it keeps KV routing from working. */
function judgeLacks({ profile }: Evidence): Check[] {
  return profile.limitations.flatMap(({ code, what, flag }): Check[] =>
    code === "replay" || code === "load"
      ? [{ id: code, status: "note", text: `${what[0]!.toUpperCase()}${what.slice(1)}.`, flag }]
      : [],
  );
}
