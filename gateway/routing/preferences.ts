/** What a request says about where and when it is answered. Nothing of it is needed. */
export interface RoutePreferences {
  /** Id or name of the only worker that will do. */
  readonly worker: string | undefined;
  /** Tags that a worker must have, all of them; sorted. */
  readonly tags: readonly string[];
  /** Requests of one session go to one worker, as far as `--session-affinity` says. */
  readonly session: string | undefined;
  /** In the queue, higher goes first. */
  readonly priority: number;
  /** Whose share of the queue the request takes; the empty name is everybody who gives none. */
  readonly tenant: string;
  /** When the answer must be complete, on the clock of `performance.now()`. */
  readonly deadlineAt: number | undefined;
  /** Overrides the weight of the `kv` cost. */
  readonly overlapCredit: number | undefined;
  readonly temperature: number | undefined;
}

export const NO_PREFERENCES: RoutePreferences = {
  worker: undefined,
  tags: [],
  session: undefined,
  priority: 0,
  tenant: "",
  deadlineAt: undefined,
  overlapCredit: undefined,
  temperature: undefined,
};
