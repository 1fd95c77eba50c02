export interface QueueOptions {
  /** Requests that may wait at one time. */
  limit: number;
  /** Within one tenant: in order of arrival, or the least uncached prompt first. */
  policy: "fcfs" | "shortest";
  /** Longest wait in milliseconds. */
  timeoutMs: number;
  /** Shares of tenants that are to have another one than 1. */
  tenantWeights: ReadonlyMap<string, number>;
}
