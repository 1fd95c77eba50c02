/**
 * A random 64-bit id as 16 lower-case hex digits: instances, leases and publisher epochs are named so.
 * Random bytes are drawn a kilobyte at a time, because one draw a request would cost more than the rest.
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

/** Whether `text` has the form that `randomId` gives. */
export function isId(text: string): boolean {
  return /^[0-9a-f]{16}$/.test(text);
}

/**
 * The id under which a request appears in logs and headers: the caller's own (an `x-request-id` header) where it
 * is 1 to 128 visible ASCII characters, so that it is safe in a log line and in a header, else a fresh `req-…`.
 */
export function requestId(offered?: string | null): string {
  return offered && /^[\x21-\x7e]{1,128}$/.test(offered) ? offered : `req-${randomId()}`;
}

const idBytes = 8;
const pool = new Uint8Array(1024);
let used = pool.length;
const hex = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
