/**
 * How a key is stored: SHA-256 over a salt and the key. Passwords need a slow hash because people choose them; a key
 * of 256 random bits cannot be guessed even with a fast hash, and every request must be checked.
 */
export interface KeyHash {
  readonly salt: Uint8Array<ArrayBuffer>;
  readonly digest: Uint8Array;
}

const KEY_PREFIX = "sk-stator-";
const KEY_BYTES = 32;
const SALT_BYTES = 16;
const PATTERN = /^sha256:([0-9a-f]{2,128}):([0-9a-f]{64})$/;

/** A new key of 256 random bits, in characters that never need quoting. */
export function newKey(): string {
  return KEY_PREFIX + toBase64Url(crypto.getRandomValues(new Uint8Array(KEY_BYTES)));
}

export const newSalt = () => crypto.getRandomValues(new Uint8Array(SALT_BYTES));

export async function hashKey(key: string, salt: Uint8Array<ArrayBuffer>): Promise<KeyHash> {
  return { salt, digest: await digestOf(salt, key) };
}

export async function digestOf(salt: Uint8Array<ArrayBuffer>, key: string): Promise<Uint8Array> {
  const text = new TextEncoder().encode(key);
  const bytes = new Uint8Array(salt.length + text.length);
  bytes.set(salt);
  bytes.set(text, salt.length);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

/** The format in the key file: `sha256:SALT:DIGEST`, both in hexadecimal. */
export const formatHash = ({ salt, digest }: KeyHash) => `sha256:${toHex(salt)}:${toHex(digest)}`;

/** @returns undefined if it is not a valid hash */
export function parseHash(text: string): KeyHash | undefined {
  const match = PATTERN.exec(text);
  if (match === null || match[1]!.length % 2 !== 0) return undefined;
  return { salt: fromHex(match[1]!), digest: fromHex(match[2]!) };
}

/** Compares in constant time. */
export function isEqual(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false;
  let difference = 0;
  for (let index = 0; index < one.length; index++) difference |= one[index]! ^ other[index]!;
  return difference === 0;
}

export const toHex = (bytes: Uint8Array) =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

function fromHex(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: text.length / 2 }, (_, index) =>
    Number.parseInt(text.slice(index * 2, index * 2 + 2), 16),
  );
}

/** Base64 in the alphabet of URLs, without padding. */
export const toBase64Url = (bytes: Uint8Array) =>
  btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replace(/=+$/, "");
