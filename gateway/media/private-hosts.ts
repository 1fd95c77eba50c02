/**
 * Suffixes of private names, by convention or from the tools that serve them: RFC 6762 and 8375, clouds, routers,
 * Kubernetes (`web.default.svc`), Consul and Docker.
 */
const PRIVATE_SUFFIX =
  /\.(localhost|local|localdomain|internal|intranet|private|lan|home|corp|home\.arpa|svc|pod|cluster|consul)$/;

/** Whether a host is in a private network, by its spelling. (`URL` has already normalized `0x7f.1`.) */
export function isPrivateName(host: string): boolean {
  if (host.startsWith("[")) return isPrivateAddress(host.slice(1, -1));
  if (V4.test(host)) return isPrivateAddress(host);
  // Names without a dot only resolve within a network.
  return !host.includes(".") || PRIVATE_SUFFIX.test(host);
}

const V4 = /^\d+\.\d+\.\d+\.\d+$/;

/** Whether an IPv4 or IPv6 address, without brackets, is in a private network or local to the machine. */
export const isPrivateAddress = (address: string): boolean =>
  V4.test(address) ? isPrivateV4(address.split(".").map(Number)) : isPrivateV6(address.toLowerCase());

/** https://www.iana.org/assignments/iana-ipv4-special-registry */
function isPrivateV4(bytes: readonly number[]): boolean {
  const [a = 0, b = 0] = bytes;
  return (
    a === 0 ||
    a === 10 ||
    a === 127 ||
    a >= 224 ||
    (a === 100 && b >= 64 && b < 128) ||
    (a === 169 && b === 254) ||
    (a === 172 && b >= 16 && b < 32) ||
    (a === 192 && (b === 168 || b === 0)) ||
    (a === 198 && (b === 18 || b === 19)) ||
    // Azure's platform services.
    bytes.join(".") === "168.63.129.16"
  );
}

/** https://www.iana.org/assignments/iana-ipv6-special-registry */
function isPrivateV6(address: string): boolean {
  const translated = readTranslated(address);
  if (translated !== undefined) return isPrivateV4(translated);
  // ::, ::1, and addresses that embed an IPv4 address: mapped, translated, Teredo or 6to4.
  if (/^(::|64:ff9b:|2001::|2001:0:|2002:)/.test(address)) return true;
  // fc00::/7 unique local, fe80::/10 link-local, fec0::/10 site-local, ff00::/8 multicast
  return /^(f[cd]|fe[89a-f]|ff)/.test(address);
}

/** The IPv4 address embedded in a NAT64 address (RFC 6052). */
function readTranslated(address: string): number[] | undefined {
  const tail = /^64:ff9b::(?:([\da-f]{1,4}):)?([\da-f]{1,4})$/.exec(address);
  if (tail === null) return undefined;
  const [high, low] = [tail[1] ?? "0", tail[2] ?? "0"].map((part) => Number.parseInt(part, 16));
  return [high! >> 8, high! & 255, low! >> 8, low! & 255];
}
