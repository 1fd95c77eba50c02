import type { Detached } from "../kernel/event-stream.ts";
import type { ApiKey } from "./api-key.ts";
import type { InflightSlot } from "./inflight.ts";
import type { RateLimiter } from "./rate-limit.ts";

/** The variables in Hono's context. */
export interface GatewayEnv {
  Variables: {
    /** From the client's `x-request-id`, or generated; in the response's headers and in every log line. */
    requestId: string;
    /** When the request arrived, on the clock of `performance.now()`. */
    arrivedAt: number;
    /** Whether the request is already counted in the metrics, under its model. */
    isCounted: boolean;
    /** Headers of every answer to the request, including errors. */
    headers: Record<string, string>;
    /** The client's key, if the gateway has keys. */
    key: ApiKey | undefined;
    /** Whether to hide names: the client has no key, or, if the gateway has none, uses a host that is not allowed. */
    hidesNames: boolean;
    /** The salt of the key's cached KV, if the gateway keeps the caches of keys apart. */
    cacheSalt: string | undefined;
    /** The key's rate limits. */
    limiter: RateLimiter | undefined;
    /** The request's slot among the requests in flight. */
    slot: InflightSlot | undefined;
    /** Set if the answer is made whether or not the client stays. */
    detached: Detached | undefined;
    /** Releases everything that the request holds, once it is counted in the metrics. */
    settle: ((status: number) => void) | undefined;
  };
}
