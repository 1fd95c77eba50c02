import { readKeyFile } from "../../../gateway/access/key-file.ts";
import { formatHash, hashKey, newSalt } from "../../../gateway/access/key-hash.ts";

/**
 * What a gateway's `access` consists of so that clients need one of these keys, which are their own ids.
 * @param limits further fields of each key
 */
export async function accessWith(keys: readonly string[], limits: object = {}) {
  const entries = await Promise.all(
    keys.map(async (key) => ({ id: key, hash: formatHash(await hashKey(key, newSalt())), ...limits })),
  );
  return { keys: readKeyFile({ keys: entries }) };
}
