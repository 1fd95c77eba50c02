/**
 * A random 64-bit id as 16 lower-case hex digits, for instances, leases and publisher epochs. Draws random bytes a
 * kilobyte at a time, because one draw per request would cost more than everything else here.
 */
export function randomId(): string {
  if (used + idBytes > pool.length) {
    crypto.getRandomValues(pool);
    used = 0;
  }
  let id = "";
  for (const end = used + idBytes; used < end; used++) id += hex[pool[used] as number];
  return id;
}

/** An id of `randomId` as bytes in a message: its 64 bits, little-endian. */
export function idToBytes(id: string): Uint8Array {
  const bytes = new Uint8Array(idBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(`0x${id}`), true);
  return bytes;
}

/** The id in a message. @returns undefined if it is not 8 bytes */
export function bytesToId(bytes: Uint8Array): string | undefined {
  if (bytes.length !== idBytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return view.getBigUint64(0, true).toString(16).padStart(16, "0");
}

/**
 * The id of a request in logs and headers: the caller's own (an `x-request-id` header) if it is 1 to 128 visible ASCII
 * characters, and so safe in a log line and a header, else a new `req-…`.
 */
export function requestId(offered?: string | null): string {
  return offered && /^[\x21-\x7e]{1,128}$/.test(offered) ? offered : `req-${randomId()}`;
}

const idBytes = 8;
const pool = new Uint8Array(1024);
let used = pool.length;
const hex = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
