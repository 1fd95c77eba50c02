/** Hosts that stand for the engine's own machine. */
const OWN_HOST = /^(\*|0\.0\.0\.0|\[?::\]?|localhost|127\.\d+\.\d+\.\d+|\[?::1\]?)$/;

/**
 * Turns an engine's own ZeroMQ endpoint into one that the gateway can reach: if the engine listens on all addresses
 * or on loopback, its host is that of its URL. Undefined for an endpoint that is not TCP.
 *
 * @example
 * reachableEndpoint("tcp://*:5557", "http://10.0.0.7:8000"); // "tcp://10.0.0.7:5557"
 */
export function reachableEndpoint(endpoint: string | null | undefined, url: string): string | undefined {
  const match = /^tcp:\/\/(.+):(\d+)$/.exec(endpoint ?? "");
  if (match === null) return undefined;
  const [, host = "", port = ""] = match;
  return `tcp://${OWN_HOST.test(host) ? new URL(url).hostname : host}:${port}`;
}
