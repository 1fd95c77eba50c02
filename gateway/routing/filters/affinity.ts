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

interface Binding<Worker extends RoutedWorker> {
  slot: Slot<Worker>;
  usedAt: number;
}

/** Which worker each session's requests went to. */
export class SessionBindings<Worker extends RoutedWorker> {
  readonly mode: AffinityOptions["mode"];
  readonly #ttlMs: number;
  readonly #limit: number;
  /** In order of use, the one used longest ago first. */
  readonly #bindings = new Map<string, Binding<Worker>>();

  constructor({ mode, ttlMs }: AffinityOptions, limit = MAX_SESSIONS) {
    this.mode = mode;
    this.#ttlMs = ttlMs;
    this.#limit = limit;
  }

  get size(): number {
    return this.#bindings.size;
  }

  /** Where the session's last request went, if that is remembered. */
  find(session: string, now: number): Slot<Worker> | undefined {
    const bound = this.#bindings.get(session);
    if (bound === undefined) return undefined;
    if (now - bound.usedAt <= this.#ttlMs) return bound.slot;
    this.#bindings.delete(session);
    return undefined;
  }

  /**
   * The core's index of where the session's last request went; undefined where sessions mean nothing, that is not
   * remembered, or that worker has gone for good.
   */
  boundTo(session: string, workers: Workers<Worker>, now: number): number | undefined {
    if (this.mode === "off") return undefined;
    const bound = this.find(session, now);
    return bound !== undefined && workers.roster[bound.index] === bound ? bound.index : undefined;
  }

  /** The session's request goes to `slot` now. */
  remember(session: string, slot: Slot<Worker>, now: number): void {
    this.#bindings.delete(session);
    this.#bindings.set(session, { slot, usedAt: now });
    // At most two for each one that comes: the old go faster than the new come, at no moment's great cost.
    for (let count = 0; count < 2; count++) this.#forgetOldest(now);
  }

  #forgetOldest(now: number): void {
    const [oldest] = this.#bindings;
    if (oldest === undefined) return;
    const [session, { usedAt }] = oldest;
    if (this.#bindings.size > this.#limit || now - usedAt > this.#ttlMs) this.#bindings.delete(session);
  }
}
