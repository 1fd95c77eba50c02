import { PlaneError } from "./types.ts";

/** A parsed request-plane address. */
export type Address =
  | { kind: "unix"; path: string }
  | { kind: "tcp" | "tls"; host: string; port: number }
  /** An empty subject stands for a new, unique one to listen on. */
  | { kind: "nats"; subject: string }
  | { kind: "memory"; name: string };

/**
 * Parses `unix:/path`, `tcp:host:port` or `tls:host:port` (an IPv6 host in brackets), `nats:subject` or `memory:name`.
 *
 * @throws PlaneError `invalid_request` that says what is wrong
 */
export function parseAddress(address: string): Address {
  const colon = address.indexOf(":");
  const rest = address.slice(colon + 1);
  switch (address.slice(0, colon)) {
    case "unix":
      return { kind: "unix", path: checkPath(rest) };
    case "tcp":
      return { kind: "tcp", ...parsePlace(address, rest) };
    case "tls":
      return { kind: "tls", ...parsePlace(address, rest) };
    case "nats":
      return { kind: "nats", subject: checkSubject(address, rest) };
    case "memory":
      if (rest) return { kind: "memory", name: rest };
  }
  throw wrong(
    `"${address}" is not an address: write unix:/path, tcp:host:port, tls:host:port, nats: or memory:name.`,
  );
}

/** Formats an address, the inverse of `parseAddress`. */
export function formatAddress(address: Address): string {
  switch (address.kind) {
    case "unix":
      return `unix:${address.path}`;
    case "tcp":
    case "tls":
      return `${address.kind}:${address.host.includes(":") ? `[${address.host}]` : address.host}:${address.port}`;
    case "nats":
      return `nats:${address.subject}`;
    case "memory":
      return `memory:${address.name}`;
  }
}

/**
 * The address by which clients reach a server that listens at `bound`.
 * @param place `host` or `host:port`; by default the port is the bound one
 * @throws PlaneError `invalid_request` if it is neither
 */
export function advertisedAddress(bound: string, place: string): string {
  const address = parseAddress(bound);
  if (address.kind !== "tcp" && address.kind !== "tls") return bound;
  const hasPort = /^(\[[^\]]+\]|[^:[\]]+):\d{1,5}$/.test(place);
  const { host, port } = parsePlace(place, hasPort ? place : `${place}:${address.port}`);
  if (hasPort && port === 0)
    throw wrong(`"${place}" has port 0: give the port by which it is reached, or none.`);
  return formatAddress({ kind: address.kind, host, port });
}

/** `sun_path` has 108 bytes on Linux and 104 elsewhere, including the terminating zero. */
const maxPathBytes = process.platform === "linux" ? 107 : 103;

function checkPath(path: string): string {
  if (!path) throw wrong("A unix address needs a path: unix:/path.");
  const bytes = Buffer.byteLength(path);
  if (bytes <= maxPathBytes) return path;
  throw wrong(
    `The socket path "${path}" is ${bytes} bytes long, but the system allows at most ${maxPathBytes}: choose a shorter directory.`,
  );
}

function parsePlace(address: string, rest: string): { host: string; port: number } {
  const match = /^(?:\[(?<ipv6>[\da-fA-F:.]+(?:%\w+)?)\]|(?<name>[^:\s/@?#]+)):(?<port>\d{1,5})$/.exec(
    rest,
  )?.groups;
  const host = match?.ipv6 ?? match?.name;
  const port = Number(match?.port);
  if (host !== undefined && port <= 65_535) return { host, port };
  throw wrong(
    `"${address}" is not host:port with an IPv6 host in brackets, as in tcp:10.0.0.1:7000 or tls:[fd00::1]:7000.`,
  );
}

function checkSubject(address: string, subject: string): string {
  if (/^[\w-]*(\.[\w-]+)*$/.test(subject)) return subject;
  throw wrong(
    `"${address}" is not a NATS address: write nats: or nats:subject, in letters, digits, '-', '_' and '.'.`,
  );
}

function wrong(sentence: string): PlaneError {
  return new PlaneError("invalid_request", sentence);
}
