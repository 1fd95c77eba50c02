import { networkInterfaces } from "node:os";

/** Where a ZeroMQ socket is, as `node:net` takes it. */
export type Place = { host: string; port: number } | { path: string };

/**
 * Where to connect for `tcp://HOST:PORT` or `ipc://PATH`.
 *
 * @throws RangeError where the endpoint is neither
 */
export function connectPlace(endpoint: string): Place {
  return parse(endpoint, /^\d{1,5}$/);
}

/**
 * Where to listen for `tcp://HOST:PORT` or `ipc://PATH`. As with ZeroMQ the host may be `*`, all addresses of IPv4, or
 * an interface's name, and port 0 or `*` is a free one.
 *
 * @throws RangeError where the endpoint is neither
 */
export function bindPlace(endpoint: string): Place {
  const place = parse(endpoint, /^(\d{1,5}|\*)$/);
  if ("path" in place) return place;
  if (place.host === "*") return { ...place, host: "0.0.0.0" };
  const addresses = networkInterfaces()[place.host];
  return { ...place, host: addresses?.find(({ family }) => family === "IPv4")?.address ?? place.host };
}

/** The endpoint of a place that has been found. */
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
