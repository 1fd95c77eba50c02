/** Headers of a single connection (RFC 9110, section 7.6.1), which are not passed on. */
const HOP_BY_HOP = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** @param name in lower case */
export const isHopByHop = (name: string) => HOP_BY_HOP.has(name);
