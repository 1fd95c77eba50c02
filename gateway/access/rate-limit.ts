/** What a minute allows, given back evenly over the minute. */
class Allowance {
  readonly perMinute: number;
  #level: number;
  #at: number;

  constructor(perMinute: number, now: number) {
    this.perMinute = perMinute;
    this.#level = perMinute;
    this.#at = now;
  }

  levelAt(now: number): number {
    this.#level = Math.min(this.perMinute, this.#level + ((now - this.#at) / 60_000) * this.perMinute);
    this.#at = now;
    return this.#level;
  }

  usedAt(now: number): number {
    return this.perMinute - this.levelAt(now);
  }

  /** May go below nothing: what was used more than was booked is paid later. */
  take(amount: number, now: number): void {
    this.#level = this.levelAt(now) - amount;
  }

  /** Milliseconds until so much is there; never, for more than a minute gives, is not asked. */
  msUntil(amount: number, now: number): number {
    return (Math.max(0, Math.min(amount, this.perMinute) - this.levelAt(now)) / this.perMinute) * 60_000;
  }
}

/** What a key may do in a minute. */
export interface RateLimits {
  readonly requestsPerMinute: number | undefined;
  readonly tokensPerMinute: number | undefined;
}

/** A limit that a request has run into. */
export interface RateExcess {
  readonly what: "requests" | "tokens";
  readonly limit: number;
  readonly waitMs: number;
}

/** How much of what a minute allows has been used; negative where less was taken than was booked. */
export interface RateUse {
  readonly requests: number;
  readonly tokens: number;
}

/** Tokens that a request was expected to take. */
export interface TokenBooking {
  /** Tells how many it took; only the first time counts. */
  settle(tokens: number): void;
}

/** One key's use of what a minute allows it. Times on the clock of `performance.now()`. */
export class RateLimiter {
  readonly limits: RateLimits;
  readonly #requests: Allowance | undefined;
  readonly #tokens: Allowance | undefined;
  readonly #onUse: (use: RateUse) => void;

  /** @param onUse is told of what is used here */
  constructor(limits: RateLimits, now: number, onUse: (use: RateUse) => void = () => {}) {
    this.limits = limits;
    this.#onUse = onUse;
    const { requestsPerMinute, tokensPerMinute } = limits;
    this.#requests = requestsPerMinute === undefined ? undefined : new Allowance(requestsPerMinute, now);
    this.#tokens = tokensPerMinute === undefined ? undefined : new Allowance(tokensPerMinute, now);
  }

  /** Counts a request, unless there is no room for it, or no tokens are left at all. */
  takeRequest(now: number): RateExcess | undefined {
    const excess = excessOf("tokens", this.#tokens, 1, now) ?? excessOf("requests", this.#requests, 1, now);
    if (excess === undefined && this.#requests !== undefined) this.#use({ requests: 1, tokens: 0 }, now);
    return excess;
  }

  /** The same key has used so much in another process. */
  useElsewhere({ requests, tokens }: RateUse, now: number): void {
    this.#requests?.take(requests, now);
    this.#tokens?.take(tokens, now);
  }

  /** What is not there again yet of what was used. */
  used(now: number): RateUse {
    return { requests: this.#requests?.usedAt(now) ?? 0, tokens: this.#tokens?.usedAt(now) ?? 0 };
  }

  #use(use: RateUse, now: number): void {
    this.useElsewhere(use, now);
    this.#onUse(use);
  }

  /** Books the tokens that a request is expected to take; one that takes more than a minute's needs all of them. */
  bookTokens(tokens: number, now: number): TokenBooking | RateExcess {
    const allowance = this.#tokens;
    if (allowance === undefined) return NO_BOOKING;
    const excess = excessOf("tokens", allowance, Math.min(tokens, allowance.perMinute), now);
    if (excess !== undefined) return excess;
    this.#use({ requests: 0, tokens }, now);
    let isOpen = true;
    return {
      settle: (taken) => {
        if (isOpen) this.#use({ requests: 0, tokens: taken - tokens }, performance.now());
        isOpen = false;
      },
    };
  }

  /** OpenAI's `x-ratelimit-…` headers. */
  headers(now: number): Record<string, string> {
    return { ...headersOf("requests", this.#requests, now), ...headersOf("tokens", this.#tokens, now) };
  }
}

const NO_BOOKING: TokenBooking = { settle() {} };

/** A hair's breadth, for what adding up fractions loses. */
const ROUNDING = 1e-6;

function excessOf(
  what: RateExcess["what"],
  allowance: Allowance | undefined,
  amount: number,
  now: number,
): RateExcess | undefined {
  if (allowance === undefined || allowance.levelAt(now) + ROUNDING >= amount) return undefined;
  return { what, limit: allowance.perMinute, waitMs: allowance.msUntil(amount, now) };
}

function headersOf(
  what: RateExcess["what"],
  allowance: Allowance | undefined,
  now: number,
): Record<string, string> {
  if (allowance === undefined) return {};
  return {
    [`x-ratelimit-limit-${what}`]: String(allowance.perMinute),
    [`x-ratelimit-remaining-${what}`]: String(Math.max(0, Math.floor(allowance.levelAt(now) + ROUNDING))),
    [`x-ratelimit-reset-${what}`]: duration(allowance.msUntil(allowance.perMinute, now)),
  };
}

/** As OpenAI writes it: `20ms`, `1.5s`, `6m0s`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.ceil(ms)}ms`;
  const seconds = Math.ceil(ms / 100) / 10;
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${Math.ceil(seconds % 60)}s`;
}
