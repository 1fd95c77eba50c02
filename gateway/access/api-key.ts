import type { KeyHash } from "./key-hash.ts";

/** A client's key as configured by the operator; only its hash is stored. */
export interface ApiKey {
  /** Identifies it in logs and in the key file, and is its requests' tenant. */
  readonly id: string;
  /** Any of these is accepted: during a rotation, the old one is too. */
  readonly hashes: readonly { readonly hash: KeyHash; readonly until: number | undefined }[];
  /** Names or patterns (`llama-*`) of the models that it may use; undefined for all. */
  readonly models: readonly string[] | undefined;
  readonly requestsPerMinute: number | undefined;
  /** Prompt plus answer. */
  readonly tokensPerMinute: number | undefined;
  /** The name of the group to which it belongs, if any. */
  readonly group: string | undefined;
  /** On the clock of `Date.now()`. */
  readonly expiresAt: number | undefined;
  /** Whether it gives access to `/admin`, `/metrics` and `/v1/router`. */
  readonly isAdmin: boolean;
}

/**
 * Whether the key may use a model.
 * @param names the model's names
 */
export function mayUse(key: ApiKey | undefined, names: readonly string[]): boolean {
  const patterns = key?.models;
  if (patterns === undefined) return true;
  return patterns.some((pattern) => names.some((name) => matches(pattern, name)));
}

/** `*` stands for any number of characters. */
function matches(pattern: string, name: string): boolean {
  const [first = "", ...rest] = pattern.split("*");
  if (rest.length === 0) return pattern === name;
  if (!name.startsWith(first)) return false;
  const last = rest.pop()!;
  let at = first.length;
  for (const part of rest) {
    const found = name.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return name.length - last.length >= at && name.endsWith(last);
}
