import { networkInterfaces } from "node:os";

/** The address of a ZeroMQ socket, in the form of `node:net`. */
export type Place = { host: string; port: number } | { path: string };

/**
 * The place to connect to for `tcp://HOST:PORT` or `ipc://PATH`.
 *
 * @throws RangeError for another endpoint
 */
export function connectPlace(endpoint: string): Place {
  return parse(endpoint, /^\d{1,5}$/);
}

/**
 * The place to listen at for `tcp://HOST:PORT` or `ipc://PATH`. As in ZeroMQ, the host can be `*` (all IPv4 addresses) or
 * an interface's name, and port 0 or `*` picks a free one.
 *
 * @throws RangeError for another endpoint
 */
export function bindPlace(endpoint: string): Place {
  const place = parse(endpoint, /^(\d{1,5}|\*)$/);
  if ("path" in place) return place;
  if (place.host === "*") return { ...place, host: "0.0.0.0" };
  const addresses = networkInterfaces()[place.host];
  return { ...place, host: addresses?.find(({ family }) => family === "IPv4")?.address ?? place.host };
}

/** Formats a place as an endpoint. */
export function formatPlace(place: Place): string {
  if ("path" in place) return `ipc://${place.path}`;
  return `tcp://${place.host.includes(":") ? `[${place.host}]` : place.host}:${place.port}`;
}

function parse(endpoint: string, portPattern: RegExp): Place {
  const [, path] = /^ipc:\/\/(.+)$/.exec(endpoint) ?? [];
  if (path !== undefined) return { path };
  const [, host = "", port = ""] = /^tcp:\/\/(\[[^\]\s]+\]|[^\s:/]+):([^:]+)$/.exec(endpoint) ?? [];
  const number = port === "*" ? 0 : Number(port);
  if (host === "" || !portPattern.test(port) || number > 65_535)
    throw new RangeError(`${endpoint} is neither tcp://HOST:PORT nor ipc://PATH.`);
  return { host: host.replace(/^\[|\]$/g, ""), port: number };
}
