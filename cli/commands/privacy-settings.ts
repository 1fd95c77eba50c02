import { hkdfSync } from "node:crypto";
import { readFileSync } from "node:fs";
import type { KvEventsKey } from "#gateway";
import { HASH_KEY_BYTES, KvHasher } from "#router-wasm";
import { messageOf } from "#runtime";
import type { KvEventsPrivacy } from "#workers";
import { loadRouterModule } from "../assets.ts";
import { UsageError } from "../options/read.ts";
import type { OptionValues } from "../options/spec.ts";
import type { workerOptions } from "../options/tables.ts";

type Options = Pick<OptionValues<typeof workerOptions>, "private-kv-events" | "kv-events-key">;

/** Least length of the secret, in bytes. */
const LEAST_BYTES = 16;
const FINGERPRINT_BYTES = 8;

const HOW_TO_MAKE = "Make one with: openssl rand -hex 32 > FILE";

/**
 * The key of private KV events, from the flags; undefined if they are not private. The key and its fingerprint are
 * derived from the secret (HKDF with SHA-256, RFC 5869), so that neither tells the other.
 * @throws UsageError without a secret, or if it cannot be read or is too short
 */
export function kvEventsKey(options: Options): KvEventsKey | undefined {
  const path = options["kv-events-key"];
  if (path === undefined) {
    if (!options["private-kv-events"]) return undefined;
    throw new UsageError(
      `--private-kv-events needs --kv-events-key FILE, the same secret for gateways and workers. ${HOW_TO_MAKE}`,
    );
  }
  const secret = readSecret(path);
  const bytes = hkdfSync("sha256", secret, "", "stator kv events", HASH_KEY_BYTES + FINGERPRINT_BYTES);
  return {
    hashKey: new Uint8Array(bytes, 0, HASH_KEY_BYTES),
    fingerprint: Buffer.from(bytes, HASH_KEY_BYTES).toString("hex"),
  };
}

/**
 * How a worker keeps its KV events private, from the flags; undefined if it does not.
 * @throws UsageError as `kvEventsKey`
 */
export async function kvEventsPrivacy(options: Options): Promise<KvEventsPrivacy | undefined> {
  const key = kvEventsKey(options);
  if (key === undefined) return undefined;
  const module = await loadRouterModule();
  return {
    fingerprint: key.fingerprint,
    createHasher: (blockSize) => new KvHasher(module, { blockSize, key: key.hashKey }),
  };
}

/** The secret without the line break that editors and `openssl` end a file with. */
function readSecret(path: string): Buffer {
  let secret: Buffer;
  try {
    secret = readFileSync(path);
  } catch (error) {
    throw new UsageError(`--kv-events-key: ${path} cannot be read (${messageOf(error)}).`);
  }
  let end = secret.length;
  while (end > 0 && (secret[end - 1] === 0x0a || secret[end - 1] === 0x0d)) end--;
  if (end >= LEAST_BYTES) return secret.subarray(0, end);
  throw new UsageError(
    `--kv-events-key: ${path} has ${end} bytes, and a secret needs at least ${LEAST_BYTES}. ${HOW_TO_MAKE}`,
  );
}
