import type { ApiKey } from "./api-key.ts";
import type { Place } from "./inflight.ts";
import type { RateLimiter } from "./rate-limit.ts";

/** What Hono's context carries through the routes. */
export interface GatewayEnv {
  Variables: {
    /** From the client's `x-request-id`, or made here; in the response's headers and in every log line. */
    requestId: string;
    /** When the request came, on the clock of `performance.now()`. */
    arrivedAt: number;
    /** Whether the request is in the metrics already, under its model. */
    isCounted: boolean;
    /** Headers that the answer has whatever becomes of the request. */
    headers: Record<string, string>;
    /** Whose request it is, where keys are on. */
    key: ApiKey | undefined;
    /** Whether the client may not know names: it has no key, or where there are none, asks under a foreign name. */
    isStranger: boolean;
    /** What the key may do in a minute. */
    limiter: RateLimiter | undefined;
    /** The request's place among those that are being answered. */
    place: Place | undefined;
    /** Gives back all that the request has taken, once it is in the metrics. */
    settle: ((status: number) => void) | undefined;
  };
}
