/** Statuses of a route that an engine does not have or has turned off. */
export const ABSENT: readonly number[] = [404, 405, 501];
