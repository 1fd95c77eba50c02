/**
 * Where of the API an engine sends the client: the path from `/v1/` on, which is there at the gateway too. Undefined
 * where it is elsewhere.
 */
export const apiPathOf = (location: string): string | undefined => /\/v1\/.*$/.exec(location)?.[0];
