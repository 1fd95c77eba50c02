import type { HttpHead } from "../../wire/types.ts";

/** Statuses of an overloaded or failing engine, after which another engine may succeed. */
const RETRYABLE_STATUSES = new Set([408, 429, 500, 502, 503, 504]);

const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** Whether the engine redirects the request to something other than a path of the API. */
export const isRedirect = ({ status, headers }: HttpHead): boolean =>
  REDIRECTS.has(status) &&
  !headers.some(([name, value]) => name === "location" && apiPathOf(value) !== undefined);

export const isRetryable = (status: number): boolean => RETRYABLE_STATUSES.has(status);

/** Whether the client is at fault, so that every engine would give the same answer. */
export const isClientError = (status: number): boolean =>
  status >= 400 && status < 500 && !isRetryable(status);

/**
 * The API path of a redirect, from `/v1/` on, which the gateway serves too; undefined if it leads elsewhere.
 */
export const apiPathOf = (location: string): string | undefined => /\/v1\/.*$/.exec(location)?.[0];
