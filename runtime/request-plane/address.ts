import { PlaneError } from "./types.ts";

/** A parsed request-plane address. */
export type Address =
  | { kind: "unix"; path: string }
  | { kind: "tcp"; host: string; port: number }
  | { kind: "memory"; name: string };

/**
 * Parses `unix:/path`, `tcp:host:port` (an IPv6 host in brackets) or `memory:name`.
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
      return parseTcp(address, rest);
    case "memory":
      if (rest) return { kind: "memory", name: rest };
  }
  throw wrong(`"${address}" is not an address: write unix:/path, tcp:host:port or memory:name.`);
}

/** Formats an address, the inverse of `parseAddress`. */
export function formatAddress(address: Address): string {
  switch (address.kind) {
    case "unix":
      return `unix:${address.path}`;
    case "tcp":
      return `tcp:${address.host.includes(":") ? `[${address.host}]` : address.host}:${address.port}`;
    case "memory":
      return `memory:${address.name}`;
  }
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

function parseTcp(address: string, rest: string): Address {
  const match = /^(?:\[(?<ipv6>[^\]]+)\]|(?<name>[^:]+)):(?<port>\d{1,5})$/.exec(rest)?.groups;
  const host = match?.ipv6 ?? match?.name;
  const port = Number(match?.port);
  if (host !== undefined && port <= 65_535) return { kind: "tcp", host, port };
  throw wrong(`"${address}" is not a TCP address: write tcp:host:port, with an IPv6 host in brackets.`);
}

function wrong(sentence: string): PlaneError {
  return new PlaneError("invalid_request", sentence);
}
