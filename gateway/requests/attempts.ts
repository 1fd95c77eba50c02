import type { Member } from "../models/members/member.ts";

/** First backoff before a retry, in milliseconds; it doubles with each retry. */
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 3_200;
/** How many members may be lost during one request, since the request may be what crashes them. */
const MOST_LOST = 2;

/** How an attempt failed. */
export type AttemptFailure =
  /** The member was not reached, or was leaving and had not begun. */
  | "unsent"
  /** The member disconnected or went silent without adding to the answer. */
  | "lost"
  /** The member answered, but the answer was unusable or broke off later. */
  | "answered";

/** Tracks the members a request was tried on, and decides whether and when to retry it. */
export class Attempts<Worker extends Member> {
  readonly #retries: number;
  /** Members that failed the request. */
  #failed: Worker[] = [];
  /** Members that cannot continue a partial answer. */
  #unable: readonly Worker[] = [];
  /** Attempts since the start or the last move that reached a member, plus rounds in which none did. */
  #made = 0;
  /** Whether an attempt in this round has reached a member. */
  #hasReached = false;
  /** Members lost since the request began. */
  #lost = 0;
  /** Whether there has been a pause since the last attempt. */
  #hasPaused = false;

  /** @param retries maximum attempts after the first */
  constructor(retries: number) {
    this.#retries = retries;
  }

  get mayRetry(): boolean {
    return this.#made <= this.#retries && this.mayMove;
  }

  /** Whether another member may continue the answer. */
  get mayMove(): boolean {
    return this.#lost < MOST_LOST;
  }

  /** Whether the next attempt needs a new connection, because a stale one may be why a member was lost. */
  get needsFreshConnection(): boolean {
    return this.#lost > 0;
  }

  /** Members not to be chosen. */
  get excluded(): readonly Worker[] {
    return this.#unable.length === 0 ? this.#failed : [...this.#failed, ...this.#unable];
  }

  begin(): void {
    this.#made++;
    this.#hasPaused = false;
  }

  recordFailure(worker: Worker, failure: AttemptFailure): void {
    this.#failed.push(worker);
    if (failure === "lost") this.#lost++;
    // A request that no member has received may be tried on all of them.
    if (failure === "unsent") this.#made--;
    else this.#hasReached = true;
  }

  /**
   * Makes failed members eligible again when no others are left, since they may have recovered.
   * @returns whether there are any, and a retry is allowed
   */
  clearFailed(): boolean {
    if (!this.#hasReached) this.#made++;
    this.#hasReached = false;
    const mayRetry = this.#failed.length > 0 && this.mayRetry;
    if (mayRetry) this.#failed = [];
    return mayRetry;
  }

  /** Starts counting attempts afresh for the rest of the answer. */
  move(unable: readonly Worker[]): void {
    this.#unable = unable;
    this.#made = 0;
  }

  /**
   * Backoff before the next attempt in milliseconds, with jitter; 0 if there has been a pause since the last one.
   * @param isElsewhere whether it goes to a member that has not failed; the first such attempt needs no backoff
   */
  pauseMs(isElsewhere: boolean): number {
    if (this.#hasPaused || (isElsewhere && this.#made <= 1)) return 0;
    this.#hasPaused = true;
    const ms = FIRST_PAUSE_MS * 2 ** Math.max(0, this.#made - 1);
    return Math.min(LONGEST_PAUSE_MS, ms) * (0.5 + Math.random());
  }
}
