/** Retry limits and timeouts of requests. Times in milliseconds. */
export interface RequestOptions {
  /** Time to connect. */
  readonly connectMs: number;
  /** Time from the request to the first piece of the answer. */
  readonly firstByteMs: number;
  /** Time between two pieces of the answer. */
  readonly idleMs: number;
  /** Time for the whole request. */
  readonly totalMs: number;
  /** For how long a request waits for encode engines. */
  readonly encodeMs: number;
  /** Attempts after the first, before any part of the answer has arrived. */
  readonly retries: number;
  /** How many times a broken answer may move to another worker. */
  readonly migrationLimit: number;
}

export const DEFAULT_REQUEST_OPTIONS: RequestOptions = {
  connectMs: 2_000,
  firstByteMs: 300_000,
  idleMs: 60_000,
  totalMs: 600_000,
  encodeMs: 30_000,
  retries: 3,
  migrationLimit: 3,
};
