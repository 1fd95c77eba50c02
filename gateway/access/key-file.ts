import { z } from "zod";
import { nearest } from "#runtime";
import type { ApiKey } from "./api-key.ts";
import { parseHash } from "./key-hash.ts";

const hash = z.string().refine((text) => parseHash(text) !== undefined, {
  error: "must be sha256:SALT:DIGEST in hexadecimal; create one with stator keys add",
});

const moment = z.union([
  z.date(),
  z.string().refine((text) => !Number.isNaN(Date.parse(text)), {
    error: "must be a date, such as 2027-01-31 or 2027-01-31T12:00:00Z",
  }),
]);

const entryShape = {
  id: z.string().regex(/^[\w.@-]{1,128}$/, "must be 1 to 128 letters, digits or . _ - @"),
  hash,
  /** Accepted until `previous_until`, so that a key can be rotated without interruption. */
  previous_hash: hash.optional(),
  previous_until: moment.optional(),
  models: z.array(z.string().min(1)).min(1).optional(),
  requests_per_minute: z.int().min(1).optional(),
  tokens_per_minute: z.int().min(1).optional(),
  expires: moment.optional(),
  admin: z.boolean().optional(),
  /** With `--isolate group`, keys of the same group share cached KV. */
  group: z
    .string()
    .regex(/^[\w.@-]{1,128}$/, "must be 1 to 128 letters, digits or . _ - @")
    .optional(),
};

/** A key in the file given with `--keys`. */
export type KeyEntry = z.infer<typeof entry>;

const entry = z.strictObject(entryShape);

const keyFile = z.strictObject({ keys: z.array(entry).nullable() });

/** A problem in a key file. */
export class KeyFileError extends Error {
  override name = "KeyFileError";
}

/**
 * Reads the contents of a key file.
 * @throws KeyFileError that names the invalid key and field, and never contains a hash
 */
export function readKeyFile(document: unknown): ApiKey[] {
  const result = keyFile.safeParse(document);
  if (!result.success) throw new KeyFileError(faultOf(result.error.issues[0]!, document));
  const keys = (result.data.keys ?? []).map(asKey);
  const ids = new Set<string>();
  for (const { id } of keys) {
    if (ids.has(id)) throw new KeyFileError(`the id '${id}' is used twice`);
    ids.add(id);
  }
  return keys;
}

function asKey(given: KeyEntry): ApiKey {
  const hashes = [{ hash: parseHash(given.hash)!, until: undefined as number | undefined }];
  if (given.previous_hash !== undefined)
    hashes.push({ hash: parseHash(given.previous_hash)!, until: timeOf(given.previous_until) ?? 0 });
  return {
    id: given.id,
    hashes,
    models: given.models,
    requestsPerMinute: given.requests_per_minute,
    tokensPerMinute: given.tokens_per_minute,
    expiresAt: timeOf(given.expires),
    group: given.group,
    isAdmin: given.admin === true,
  };
}

const timeOf = (value: Date | string | undefined) =>
  value === undefined ? undefined : new Date(value).getTime();

function faultOf(issue: z.core.$ZodIssue, document: unknown): string {
  const [list, index, field] = issue.path;
  if (list !== "keys") return "it must have a list under 'keys:'";
  const place = typeof index === "number" ? `${nameOf(document, index)}: ` : "";
  if (issue.code === "unrecognized_keys") {
    const [unknown = ""] = issue.keys;
    const suggestion = nearest(unknown, Object.keys(entryShape));
    return `${place}unknown field '${unknown}'${suggestion === undefined ? "" : `; did you mean '${suggestion}'?`}`;
  }
  return `${place}${field === undefined ? "" : `${String(field)} `}${issue.message}`;
}

function nameOf(document: unknown, index: number): string {
  const keys: unknown = Reflect.get(Object(document), "keys");
  const id: unknown = Array.isArray(keys) ? Reflect.get(Object(keys[index]), "id") : undefined;
  return typeof id === "string" ? `key '${id.slice(0, 128)}'` : `key ${index + 1}`;
}
