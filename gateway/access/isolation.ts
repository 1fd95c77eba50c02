import type { ApiKey } from "./api-key.ts";
import { toBase64Url } from "./key-hash.ts";

/** Whose requests share cached KV: those of one key, or those of all keys of a group. */
export type IsolateBy = "key" | "group";

export interface IsolationOptions {
  readonly by: IsolateBy;
  /** Secret from which salts are made; gateways with the same one make the same salts. */
  readonly secret: string;
  /** System prompts that are no secret: what is cached of them may serve all keys. */
  readonly sharedPrompts: readonly string[];
}

/**
 * Keeps the caches of keys apart: each request gets a salt, and engines use cached KV only of requests with the same
 * salt. A salt is HMAC-SHA-256 of the key's id, or of its group, under a secret, so that nobody can guess another's.
 */
export class Isolation {
  readonly sharedPrompts: readonly string[];
  readonly #by: IsolateBy;
  readonly #secret: Promise<CryptoKey>;
  readonly #salts = new Map<string, Promise<string>>();

  constructor({ by, secret, sharedPrompts }: IsolationOptions) {
    this.#by = by;
    this.sharedPrompts = sharedPrompts;
    const algorithm = { name: "HMAC", hash: "SHA-256" };
    this.#secret = crypto.subtle.importKey("raw", encoder.encode(secret), algorithm, false, ["sign"]);
  }

  /** The salt of a key's requests: 43 characters of base64url, which all engines accept. */
  saltOf(key: ApiKey): Promise<string> {
    // A key without a group is a group of its own, which no group's name can be.
    const owner = this.#by === "group" && key.group !== undefined ? `group ${key.group}` : `key ${key.id}`;
    let salt = this.#salts.get(owner);
    if (salt === undefined) {
      salt = this.#sign(owner);
      this.#salts.set(owner, salt);
    }
    return salt;
  }

  async #sign(owner: string): Promise<string> {
    const bytes = new Uint8Array(await crypto.subtle.sign("HMAC", await this.#secret, encoder.encode(owner)));
    return toBase64Url(bytes);
  }
}

const encoder = new TextEncoder();
