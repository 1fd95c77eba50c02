export interface QueueOptions {
  /** How many requests may wait. */
  limit: number;
  /** Order within a tenant: by arrival, or fewest uncached prompt tokens first. */
  policy: "fcfs" | "shortest";
  /** Longest wait in milliseconds. */
  timeoutMs: number;
  /** Weights of tenants; 1 for all others. */
  tenantWeights: ReadonlyMap<string, number>;
}
