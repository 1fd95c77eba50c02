/** A token bucket that holds one minute's allowance and is replenished evenly. */
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

  /** May go below zero: use beyond the reservation becomes debt. */
  take(amount: number, now: number): void {
    this.#level = this.levelAt(now) - amount;
  }

  /** Milliseconds until `amount` is available, or until full if `amount` exceeds a minute's allowance. */
  msUntil(amount: number, now: number): number {
    return (Math.max(0, Math.min(amount, this.perMinute) - this.levelAt(now)) / this.perMinute) * 60_000;
  }
}

/** A key's limits per minute. */
export interface RateLimits {
  readonly requestsPerMinute: number | undefined;
  readonly tokensPerMinute: number | undefined;
}

/** A limit that a request exceeds. */
export interface RateExcess {
  readonly what: "requests" | "tokens";
  readonly limit: number;
  readonly waitMs: number;
}

/** Use of a minute's allowance; negative if less was used than reserved. */
export interface RateUse {
  readonly requests: number;
  readonly tokens: number;
}

/** Tokens reserved for a request. */
export interface TokenBooking {
  /** Replaces the reservation with the tokens used; only the first call counts. */
  settle(tokens: number): void;
}

/** One key's rate limiter. Times on the clock of `performance.now()`. */
export class RateLimiter {
  readonly limits: RateLimits;
  readonly #requests: Allowance | undefined;
  readonly #tokens: Allowance | undefined;
  readonly #onUse: (use: RateUse) => void;

  /** @param onUse called with each use in this process */
  constructor(limits: RateLimits, now: number, onUse: (use: RateUse) => void = () => {}) {
    this.limits = limits;
    this.#onUse = onUse;
    const { requestsPerMinute, tokensPerMinute } = limits;
    this.#requests = requestsPerMinute === undefined ? undefined : new Allowance(requestsPerMinute, now);
    this.#tokens = tokensPerMinute === undefined ? undefined : new Allowance(tokensPerMinute, now);
  }

  /** Counts a request, unless no request or no token is left. @returns the exceeded limit, if any */
  takeRequest(now: number): RateExcess | undefined {
    const excess = excessOf("tokens", this.#tokens, 1, now) ?? excessOf("requests", this.#requests, 1, now);
    if (excess === undefined && this.#requests !== undefined) this.#use({ requests: 1, tokens: 0 }, now);
    return excess;
  }

  /** Counts use of the same key in another process. */
  useElsewhere({ requests, tokens }: RateUse, now: number): void {
    this.#requests?.take(requests, now);
    this.#tokens?.take(tokens, now);
  }

  /** What has been used and not replenished yet. */
  used(now: number): RateUse {
    return { requests: this.#requests?.usedAt(now) ?? 0, tokens: this.#tokens?.usedAt(now) ?? 0 };
  }

  #use(use: RateUse, now: number): void {
    this.useElsewhere(use, now);
    this.#onUse(use);
  }

  /** Reserves the tokens that a request may use; one that may use more than a minute's allowance needs all of it. */
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

/** Tolerance for floating-point errors. */
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

/** Formats a duration like OpenAI: `20ms`, `1.5s`, `6m0s`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.ceil(ms)}ms`;
  const seconds = Math.ceil(ms / 100) / 10;
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${Math.ceil(seconds % 60)}s`;
}
