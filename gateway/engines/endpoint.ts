/** Hosts by which an engine means its own machine. */
const OWN_HOST = /^(\*|0\.0\.0\.0|\[?::\]?|localhost|127\.\d+\.\d+\.\d+|\[?::1\]?)$/;

/**
 * A ZeroMQ endpoint as the engine names it, as the gateway reaches it: an engine that listens on all addresses, or on
 * its loopback, is on the host of its URL. Undefined for what no other process can reach by TCP.
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
