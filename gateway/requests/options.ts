/** How hard a gateway tries to have a request answered, and how long it waits. Times in milliseconds. */
export interface RequestOptions {
  /** Longest time to take a connection. */
  readonly connectMs: number;
  /** Longest time from the request to the answer's first piece. */
  readonly firstByteMs: number;
  /** Longest time between two pieces of an answer. */
  readonly idleMs: number;
  /** Longest time for all of it. */
  readonly totalMs: number;
  /** Further attempts before anything of an answer has come. */
  readonly retries: number;
  /** How often an answer that breaks off may move to another worker. */
  readonly migrationLimit: number;
}

export const DEFAULT_REQUEST_OPTIONS: RequestOptions = {
  connectMs: 2_000,
  firstByteMs: 300_000,
  idleMs: 60_000,
  totalMs: 600_000,
  retries: 3,
  migrationLimit: 3,
};
