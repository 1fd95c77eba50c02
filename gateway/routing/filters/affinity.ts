import type { RoutedWorker, Slot, Workers } from "../workers.ts";

export interface AffinityOptions {
  /**
   * Whether a session's worker is ignored, preferred while it has capacity, or required for as long as it exists.
   */
  mode: "off" | "soft" | "hard";
  /** How long a session is remembered after its last request, in milliseconds. */
  ttlMs: number;
}

/** How many sessions are remembered; beyond that, the least recently used one is forgotten. */
const MAX_SESSIONS = 100_000;

interface Binding<Worker extends RoutedWorker> {
  slot: Slot<Worker>;
  usedAt: number;
}

/** The worker to which each session's last request went. */
export class SessionBindings<Worker extends RoutedWorker> {
  readonly mode: AffinityOptions["mode"];
  readonly #ttlMs: number;
  readonly #limit: number;
  /** Least recently used first. */
  readonly #bindings = new Map<string, Binding<Worker>>();

  constructor({ mode, ttlMs }: AffinityOptions, limit = MAX_SESSIONS) {
    this.mode = mode;
    this.#ttlMs = ttlMs;
    this.#limit = limit;
  }

  get size(): number {
    return this.#bindings.size;
  }

  /** The slot of the session's last request, if it is remembered. */
  find(session: string, now: number): Slot<Worker> | undefined {
    const bound = this.#bindings.get(session);
    if (bound === undefined) return undefined;
    if (now - bound.usedAt <= this.#ttlMs) return bound.slot;
    this.#bindings.delete(session);
    return undefined;
  }

  /**
   * The core index of the slot to which the session is bound; undefined if affinity is off, the session is not
   * remembered, or its worker was removed.
   */
  boundTo(session: string, workers: Workers<Worker>, now: number): number | undefined {
    if (this.mode === "off") return undefined;
    const bound = this.find(session, now);
    return bound !== undefined && workers.roster[bound.index] === bound ? bound.index : undefined;
  }

  /** Binds the session to the slot. */
  remember(session: string, slot: Slot<Worker>, now: number): void {
    this.#bindings.delete(session);
    this.#bindings.set(session, { slot, usedAt: now });
    // Dropping up to two for each new one bounds the size without an expensive sweep.
    for (let count = 0; count < 2; count++) this.#forgetOldest(now);
  }

  #forgetOldest(now: number): void {
    const [oldest] = this.#bindings;
    if (oldest === undefined) return;
    const [session, { usedAt }] = oldest;
    if (this.#bindings.size > this.#limit || now - usedAt > this.#ttlMs) this.#bindings.delete(session);
  }
}
