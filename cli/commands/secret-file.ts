import { readFileSync, statSync } from "node:fs";
import { messageOf } from "#runtime";
import { UsageError } from "../options/read.ts";

/** Least length of a secret, in bytes. */
const LEAST_BYTES = 16;
/** Largest file of a secret, in bytes. */
const MOST_BYTES = 4096;

export const HOW_TO_MAKE = "Make one with: openssl rand -hex 32 > FILE";

/**
 * A secret from a file, without the line break that editors and `openssl` end a file with.
 * @param option the option that names the file, without dashes
 * @throws UsageError if it is no regular file, cannot be read, or is too short or too long
 */
export function readSecret(option: string, path: string): Buffer {
  let secret: Buffer;
  try {
    const file = statSync(path);
    if (!file.isFile())
      throw new UsageError(`--${option}: ${path} is no regular file. Name a file with the secret.`);
    if (file.size > MOST_BYTES)
      throw new UsageError(
        `--${option}: ${path} has ${file.size} bytes, and a secret at most ${MOST_BYTES}. ${HOW_TO_MAKE}`,
      );
    secret = readFileSync(path);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`--${option}: ${path} cannot be read (${messageOf(error)}).`);
  }
  let end = secret.length;
  while (end > 0 && (secret[end - 1] === 0x0a || secret[end - 1] === 0x0d)) end--;
  if (end >= LEAST_BYTES) return secret.subarray(0, end);
  throw new UsageError(
    `--${option}: ${path} has ${end} bytes, and a secret needs at least ${LEAST_BYTES}. ${HOW_TO_MAKE}`,
  );
}
