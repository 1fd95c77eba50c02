import type { Member } from "../models/members/member.ts";

/** First wait before a further attempt, in milliseconds; each one after it is twice as long. */
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 3_200;
/** How many members may be lost to one request, which may be what crashes them. */
const MOST_LOST = 2;

/** How an attempt failed. */
export type AttemptFailure =
  /** The member was not reached. */
  | "unsent"
  /** The member broke off or went silent without adding to the answer. */
  | "lost"
  /** The member answered, but the answer was of no use, or broke off later. */
  | "answered";

/** On which members a request has been tried, and whether and when it is tried again. */
export class Attempts<Worker extends Member> {
  readonly #retries: number;
  /** Members that it has failed on. */
  #failed: Worker[] = [];
  /** Members that could not go on where its answer stops. */
  #unable: readonly Worker[] = [];
  /** Since the start or the last move: attempts that reached a member, plus rounds in which none did. */
  #made = 0;
  /** Whether an attempt has reached a member in this round. */
  #hasReached = false;
  /** Members lost to the request since it began. */
  #lost = 0;
  /** Whether there was a pause since the last attempt. */
  #hasPaused = false;

  /** @param retries further attempts */
  constructor(retries: number) {
    this.#retries = retries;
  }

  get mayGoOn(): boolean {
    return this.#made <= this.#retries && this.mayMove;
  }

  /** Whether another member may continue the answer. */
  get mayMove(): boolean {
    return this.#lost < MOST_LOST;
  }

  /** Whether the next attempt needs a new connection: a stale one may be why the request was lost. */
  get hasLost(): boolean {
    return this.#lost > 0;
  }

  /** Members that are not to be asked. */
  get excluded(): readonly Worker[] {
    return this.#unable.length === 0 ? this.#failed : [...this.#failed, ...this.#unable];
  }

  begin(): void {
    this.#made++;
    this.#hasPaused = false;
  }

  failOn(worker: Worker, failure: AttemptFailure): void {
    this.#failed.push(worker);
    if (failure === "lost") this.#lost++;
    // A request that no member has seen may be tried on all of them.
    if (failure === "unsent") this.#made--;
    else this.#hasReached = true;
  }

  /**
   * No member is left that it has not failed on: perhaps they are better in a moment.
   * @returns whether there are any to ask again
   */
  forgive(): boolean {
    if (!this.#hasReached) this.#made++;
    this.#hasReached = false;
    const mayAskAgain = this.#failed.length > 0 && this.mayGoOn;
    if (mayAskAgain) this.#failed = [];
    return mayAskAgain;
  }

  /** What is left of the answer is tried as if it were a request of its own. */
  move(unable: readonly Worker[]): void {
    this.#unable = unable;
    this.#made = 0;
  }

  /**
   * Milliseconds to wait before the next attempt, with jitter: none where there was a wait already.
   * @param isElsewhere whether it goes to a member that it has not failed on: the first such one has done nothing to
   * deserve a pause
   */
  pauseMs(isElsewhere: boolean): number {
    if (this.#hasPaused || (isElsewhere && this.#made <= 1)) return 0;
    this.#hasPaused = true;
    const ms = FIRST_PAUSE_MS * 2 ** Math.max(0, this.#made - 1);
    return Math.min(LONGEST_PAUSE_MS, ms) * (0.5 + Math.random());
  }
}
