import { createHash } from "node:crypto";

/** A parsed entry file name. */
export interface EntryName {
  /** The key, encoded. */
  encodedKey: string;
  /** `-` for an entry without a lease. */
  leaseId: string;
}

/**
 * The name of the file that stores `key` under a lease. It includes the lease, so that cleaning up after a dead lease
 * never touches an entry of a live one under the same key.
 */
export function entryFileName(key: string, leaseId: string | undefined): string {
  return `${encodeKey(key)}@${leaseId ?? noLease}`;
}

/** Parses an entry's file name; undefined if it is not one. */
export function parseEntryName(name: string): EntryName | undefined {
  const match = /^([^@]+)@([0-9a-f]{16}|-)$/.exec(name);
  return match ? { encodedKey: match[1] as string, leaseId: match[2] as string } : undefined;
}

/**
 * Encodes a key as part of a portable file name: lower-case letters, digits, `_`, `-` and inner dots stay, other bytes
 * become `%xx`, and a key that would be too long is hashed.
 */
export function encodeKey(key: string): string {
  let encoded = "";
  for (const byte of Buffer.from(key)) {
    const character = String.fromCharCode(byte);
    const plain = /[a-z0-9_-]/.test(character) || (character === "." && encoded !== "");
    encoded += plain ? character : `%${byte.toString(16).padStart(2, "0")}`;
  }
  if (encoded !== "" && encoded.length <= maxEncoded) return encoded;
  return `~${createHash("sha256").update(key).digest("hex")}`;
}

export const noLease = "-";
/** File names can have 255 bytes almost everywhere; the lease takes 17. */
const maxEncoded = 200;
