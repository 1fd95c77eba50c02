import { createHash } from "node:crypto";

/** An entry's file name, taken apart. */
export interface EntryName {
  /** The key, encoded. */
  encodedKey: string;
  /** `-` for an entry without a lease. */
  leaseId: string;
}

/**
 * The name of the file that holds `key` under a lease. The lease is part of it so that clearing up after a dead
 * lease can never touch what a living one put under the same key.
 */
export function entryName(key: string, leaseId: string | undefined): string {
  return `${encodeKey(key)}@${leaseId ?? noLease}`;
}

/** Takes an entry's file name apart; undefined for a name that is none. */
export function parseEntryName(name: string): EntryName | undefined {
  const match = /^([^@]+)@([0-9a-f]{16}|-)$/.exec(name);
  return match ? { encodedKey: match[1] as string, leaseId: match[2] as string } : undefined;
}

/**
 * A key as part of a file name that every file system takes: lower-case letters, digits, `_`, `-` and inner dots
 * stay, other bytes become `%xx`, and what would be too long becomes its hash.
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
/** File names hold 255 bytes almost everywhere; the lease takes 17. */
const maxEncoded = 200;
