/** What Hono's context carries through the routes. */
export interface GatewayEnv {
  Variables: {
    /** From the client's `x-request-id`, or made here; in the response's headers and in every log line. */
    requestId: string;
    /** When the request came, on the clock of `performance.now()`. */
    arrivedAt: number;
    /** Whether the request is in the metrics already, under its model. */
    isCounted: boolean;
  };
}
