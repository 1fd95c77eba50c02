import { createHash } from "node:crypto";

/**
 * The name of an entry in its bucket. NATS keys are limited to letters, digits and `-/_=.`, and to a few thousand
 * characters, so the name encodes the entry's key; its value contains the key unchanged.
 */
export const entryName = (key: string): string => {
  const encoded = Buffer.from(key).toString("base64url");
  const isShort = encoded !== "" && encoded.length <= 200;
  return `entry.${isShort ? encoded : `=${createHash("sha256").update(key).digest("hex")}`}`;
};

export const leaseName = (id: string): string => `lease.${id}`;

/** The id in a lease's name; undefined for other names. */
export const leaseIdIn = (name: string): string | undefined => /^lease\.([0-9a-f]{16})$/.exec(name)?.[1];

export const isEntry = (name: string): boolean => name.startsWith("entry.");

/** A key that is written to find out how far a watch has progressed. */
export const MARK = "mark";
