import { hkdfSync } from "node:crypto";
import type { KvEventsKey } from "#gateway";
import { HASH_KEY_BYTES, KvHasher } from "#router-wasm";
import type { KvEventsPrivacy } from "#workers";
import { loadRouterModule } from "../assets.ts";
import { UsageError } from "../options/read.ts";
import type { OptionValues } from "../options/spec.ts";
import type { workerOptions } from "../options/tables.ts";
import { HOW_TO_MAKE, readSecret } from "./secret-file.ts";

type Options = Pick<OptionValues<typeof workerOptions>, "private-kv-events" | "kv-events-key">;

const FINGERPRINT_BYTES = 8;

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
  const secret = readSecret("kv-events-key", path);
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
