/** What a request says about where and when it is answered. All fields are optional in requests. */
export interface RoutePreferences {
  /** Id or name of the only acceptable worker. */
  readonly worker: string | undefined;
  /** Tags that a worker must have; sorted. */
  readonly tags: readonly string[];
  /** Requests of a session go to the same worker, according to `--session-affinity`. */
  readonly session: string | undefined;
  /** Higher priorities leave the queue first. */
  readonly priority: number;
  /** The tenant whose share of the queue the request uses; empty for requests without one. */
  readonly tenant: string;
  /** When the answer must be complete, on the clock of `performance.now()`. */
  readonly deadlineAt: number | undefined;
  /** Overrides the credit of the `kv` cost for cached blocks. */
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
