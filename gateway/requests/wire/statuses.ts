import type { HttpHead } from "../../wire/types.ts";

/** What another engine may answer better: it is overloaded, or not well. */
const RETRIED_STATUSES = new Set([408, 429, 500, 502, 503, 504]);

const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** Whether the engine sends the request to an address that is not the gateway's to ask. */
export const isRedirect = ({ status, headers }: HttpHead): boolean =>
  REDIRECTS.has(status) &&
  !headers.some(([name, value]) => name === "location" && apiPathOf(value) !== undefined);

export const isRetried = (status: number): boolean => RETRIED_STATUSES.has(status);

/** Whether the client is at fault: every engine would give the same answer. */
export const isClientError = (status: number): boolean => status >= 400 && status < 500 && !isRetried(status);

/**
 * Where of the API an engine sends the client: the path from `/v1/` on, which is there at the gateway too. Undefined
 * where it is elsewhere.
 */
export const apiPathOf = (location: string): string | undefined => /\/v1\/.*$/.exec(location)?.[0];
