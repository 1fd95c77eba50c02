import type { RoutedWorker, Slot, Workers } from "../workers.ts";

export interface AffinityOptions {
  /**
   * What a session's worker means to its next request: nothing; the first choice, if it has room; or the only
   * choice for as long as the worker exists.
   */
  mode: "off" | "soft" | "hard";
  /** How long a session is remembered after its last request, in milliseconds. */
  ttlMs: number;
}

/** Sessions that are remembered at one time; beyond that the one used longest ago is forgotten. */
const MAX_SESSIONS = 100_000;

interface Home<Worker extends RoutedWorker> {
  slot: Slot<Worker>;
  usedAt: number;
}

/** Which worker each session's requests went to. */
export class SessionHomes<Worker extends RoutedWorker> {
  readonly mode: AffinityOptions["mode"];
  readonly #ttlMs: number;
  readonly #limit: number;
  /** In order of use, the one used longest ago first. */
  readonly #homes = new Map<string, Home<Worker>>();

  constructor({ mode, ttlMs }: AffinityOptions, limit = MAX_SESSIONS) {
    this.mode = mode;
    this.#ttlMs = ttlMs;
    this.#limit = limit;
  }

  get size(): number {
    return this.#homes.size;
  }

  /** Where the session's last request went, if that is remembered. */
  find(session: string, now: number): Slot<Worker> | undefined {
    const home = this.#homes.get(session);
    if (home === undefined) return undefined;
    if (now - home.usedAt <= this.#ttlMs) return home.slot;
    this.#homes.delete(session);
    return undefined;
  }

  /**
   * The core's index of where the session's last request went; undefined where sessions mean nothing, that is not
   * remembered, or that worker has gone for good.
   */
  homeOf(session: string, workers: Workers<Worker>, now: number): number | undefined {
    if (this.mode === "off") return undefined;
    const home = this.find(session, now);
    return home !== undefined && workers.roster[home.index] === home ? home.index : undefined;
  }

  /** The session's request goes to `slot` now. */
  remember(session: string, slot: Slot<Worker>, now: number): void {
    this.#homes.delete(session);
    this.#homes.set(session, { slot, usedAt: now });
    // At most two for each one that comes: the old go faster than the new come, at no moment's great cost.
    for (let count = 0; count < 2; count++) this.#forgetOldest(now);
  }

  #forgetOldest(now: number): void {
    const [oldest] = this.#homes;
    if (oldest === undefined) return;
    const [session, { usedAt }] = oldest;
    if (this.#homes.size > this.#limit || now - usedAt > this.#ttlMs) this.#homes.delete(session);
  }
}
