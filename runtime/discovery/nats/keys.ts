import { createHash } from "node:crypto";

/**
 * A bucket's keys. NATS takes letters, digits and `-/_=.` alone, and no more than a few thousand of them, so an entry's
 * key is encoded here, and stands in its value as it is.
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

/** Written to learn how far a watch has come. */
export const MARK = "mark";
