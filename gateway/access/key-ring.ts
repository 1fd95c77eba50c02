import type { ApiKey } from "./api-key.ts";
import { digestOf, isEqual, type KeyHash, toHex } from "./key-hash.ts";
import { RateLimiter, type RateUse } from "./rate-limit.ts";

/** Longer keys are rejected unread. */
const LONGEST_KEY = 512;

interface Candidate {
  readonly key: ApiKey;
  readonly hash: KeyHash;
  readonly until: number | undefined;
}

/** A key's use of its rate limits. */
export interface KeyUse extends RateUse {
  /** The key's id. */
  readonly key: string;
}

/** The gateway's keys, which may change at run time. */
export class KeyRing {
  /** By salt, because keys with the same salt need only one digest. */
  #candidates = new Map<string, Candidate[]>();
  #limiters = new Map<string, RateLimiter>();
  #size = 0;
  /** Called with each use of a key in this process. */
  onUse: ((use: KeyUse) => void) | undefined;

  constructor(keys: readonly ApiKey[]) {
    this.replace(keys);
  }

  get size(): number {
    return this.#size;
  }

  /** Replaces all keys. The rate limits of remaining keys keep their state. */
  replace(keys: readonly ApiKey[]): void {
    const candidates = new Map<string, Candidate[]>();
    const limiters = new Map<string, RateLimiter>();
    for (const key of keys) {
      for (const { hash, until } of key.hashes) {
        const salt = toHex(hash.salt);
        const candidate = { key, hash, until };
        const others = candidates.get(salt);
        if (others === undefined) candidates.set(salt, [candidate]);
        else others.push(candidate);
      }
      limiters.set(key.id, this.#limiterOf(key));
    }
    this.#candidates = candidates;
    this.#limiters = limiters;
    this.#size = keys.length;
  }

  /**
   * Finds the key with this text, in a time that reveals nothing about the existing keys.
   * @param now on the clock of `Date.now()`
   */
  async find(text: string, now: number): Promise<ApiKey | undefined> {
    if (text.length > LONGEST_KEY) return undefined;
    let found: ApiKey | undefined;
    for (const candidates of this.#candidates.values()) {
      const digest = await digestOf(candidates[0]!.hash.salt, text);
      for (const { key, hash, until } of candidates) {
        if (isEqual(digest, hash.digest) && isBefore(now, until) && isBefore(now, key.expiresAt)) found = key;
      }
    }
    return found;
  }

  limiterOf({ id }: ApiKey): RateLimiter | undefined {
    return this.#limiters.get(id);
  }

  /** Counts a key's use in another process. */
  useElsewhere(use: KeyUse): void {
    this.#limiters.get(use.key)?.useElsewhere(use, performance.now());
  }

  /** What keys have used that has not been replenished yet. */
  uses(): KeyUse[] {
    const now = performance.now();
    return Array.from(this.#limiters, ([key, limiter]) => ({ key, ...limiter.used(now) }));
  }

  #limiterOf({ id, requestsPerMinute, tokensPerMinute }: ApiKey): RateLimiter {
    const before = this.#limiters.get(id);
    const isSame =
      before?.limits.requestsPerMinute === requestsPerMinute &&
      before?.limits.tokensPerMinute === tokensPerMinute;
    if (before !== undefined && isSame) return before;
    return new RateLimiter({ requestsPerMinute, tokensPerMinute }, performance.now(), (use) =>
      this.onUse?.({ key: id, ...use }),
    );
  }
}

const isBefore = (now: number, end: number | undefined) => end === undefined || now < end;
