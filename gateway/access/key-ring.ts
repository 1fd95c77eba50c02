import type { ApiKey } from "./api-key.ts";
import { digestOf, isEqual, type KeyHash, toHex } from "./key-hash.ts";
import { RateLimiter, type RateUse } from "./rate-limit.ts";

/** Longer ones are not looked at. */
const LONGEST_KEY = 512;

interface Lock {
  readonly key: ApiKey;
  readonly hash: KeyHash;
  readonly until: number | undefined;
}

/** Who has used how much of what a minute allows. */
export interface KeyUse extends RateUse {
  /** The key's id. */
  readonly key: string;
}

/** The keys that open this gateway, which may be changed while it runs. */
export class KeyRing {
  /** Keys with the same salt are found with one digest. */
  #locks = new Map<string, Lock[]>();
  #limiters = new Map<string, RateLimiter>();
  #size = 0;
  /** Told of what keys use here. */
  onUse: ((use: KeyUse) => void) | undefined;

  constructor(keys: readonly ApiKey[]) {
    this.replace(keys);
  }

  get size(): number {
    return this.#size;
  }

  /** Puts these keys in the place of those before. What a key has used of its minute stays used. */
  replace(keys: readonly ApiKey[]): void {
    const locks = new Map<string, Lock[]>();
    const limiters = new Map<string, RateLimiter>();
    for (const key of keys) {
      for (const { hash, until } of key.hashes) {
        const salt = toHex(hash.salt);
        const lock = { key, hash, until };
        const others = locks.get(salt);
        if (others === undefined) locks.set(salt, [lock]);
        else others.push(lock);
      }
      limiters.set(key.id, this.#limiterOf(key));
    }
    this.#locks = locks;
    this.#limiters = limiters;
    this.#size = keys.length;
  }

  /**
   * The key whose text this is, in a time that tells nothing of the keys there are.
   * @param now on the clock of `Date.now()`
   */
  async find(text: string, now: number): Promise<ApiKey | undefined> {
    if (text.length > LONGEST_KEY) return undefined;
    let found: ApiKey | undefined;
    for (const locks of this.#locks.values()) {
      const digest = await digestOf(locks[0]!.hash.salt, text);
      for (const { key, hash, until } of locks) {
        if (isEqual(digest, hash.digest) && isBefore(now, until) && isBefore(now, key.expiresAt)) found = key;
      }
    }
    return found;
  }

  limiterOf({ id }: ApiKey): RateLimiter | undefined {
    return this.#limiters.get(id);
  }

  /** A key has used so much in another process. */
  useElsewhere(use: KeyUse): void {
    this.#limiters.get(use.key)?.useElsewhere(use, performance.now());
  }

  /** What keys have used and not got back yet. */
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
