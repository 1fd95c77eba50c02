import { randomUUID } from "node:crypto";
import { open, readFile, rename, rm } from "node:fs/promises";
import { type Document, isSeq, parseDocument, stringify } from "yaml";
import { formatHash, hashKey, KeyFileError, newKey, newSalt, parseHash, readKeyFile } from "#gateway";
import { withFileLock } from "../file-lock.ts";
import { UsageError } from "../options/read.ts";

/** A key as it is in the file, without its hash. */
export interface KeyDescription {
  readonly id: string;
  readonly models?: readonly string[];
  readonly requests_per_minute?: number;
  readonly tokens_per_minute?: number;
  readonly expires?: string;
  readonly admin?: true;
  readonly group?: string;
}

const HEAD =
  " The API keys of a Stator gateway (--keys). This file holds only hashes: replace a lost key with stator keys rotate.\n Edit it with stator keys add, rotate and revoke; see docs/security.md.";

/** A key file. Preserves its comments and other content. */
export class KeyStore {
  readonly #path: string;
  readonly #document: Document;

  /**
   * @param mayBeNew whether a missing file counts as one without keys
   * @throws UsageError if it cannot be read
   */
  static async open(path: string, mayBeNew = false): Promise<KeyStore> {
    let text = "";
    try {
      text = await readFile(path, "utf8");
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "ENOENT" || !mayBeNew) throw new UsageError(`--keys ${path} cannot be read (${code}).`);
    }
    const document = parseDocument(text === "" ? "keys: []\n" : text);
    if (text === "") document.commentBefore = HEAD;
    if (document.errors.length > 0) throw new UsageError(`--keys ${path} is neither YAML nor JSON.`);
    const store = new KeyStore(path, document);
    store.#check();
    return store;
  }

  /**
   * Changes a key file under a lock that excludes other processes on this machine.
   * @param mayBeNew whether a missing file counts as one without keys
   * @throws UsageError if it cannot be read or written
   */
  static async change<Value>(
    path: string,
    work: (store: KeyStore) => Promise<Value>,
    mayBeNew = false,
  ): Promise<Value> {
    const change = async () => work(await KeyStore.open(path, mayBeNew));
    try {
      return await withFileLock(`${path}.lock`, () => {}, change);
    } catch (error) {
      if (error instanceof UsageError) throw error;
      throw new UsageError(
        `--keys ${path} cannot be written (${(error as NodeJS.ErrnoException).code ?? String(error)}).`,
      );
    }
  }

  private constructor(path: string, document: Document) {
    this.#path = path;
    this.#document = document;
  }

  list() {
    return this.#check();
  }

  /** @returns the new key, which is not stored. @throws UsageError if the id exists already */
  async add(description: KeyDescription): Promise<string> {
    if (this.#indexOf(description.id) !== undefined)
      throw new UsageError(
        `Key '${description.id}' exists already; replace it with stator keys rotate ${description.id}.`,
      );
    const key = newKey();
    const { id, ...rest } = description;
    const entry = this.#document.createNode({ id, hash: await this.#hash(key), ...rest });
    if (isSeq(this.#document.get("keys"))) this.#document.addIn(["keys"], entry);
    else this.#document.set("keys", [entry]);
    const keys = this.#document.get("keys");
    if (isSeq(keys) && !this.#isJson) keys.flow = false;
    await this.#write();
    return key;
  }

  /**
   * Replaces the key of this id.
   * @param graceSeconds how long the old key stays valid
   * @returns the new key. @throws UsageError if there is no key of this id
   */
  async rotate(id: string, graceSeconds: number): Promise<string> {
    const place = ["keys", this.#requireIndex(id)];
    const key = newKey();
    const before: unknown = this.#document.getIn([...place, "hash"]);
    this.#document.setIn([...place, "hash"], await this.#hash(key));
    this.#document.deleteIn([...place, "previous_hash"]);
    this.#document.deleteIn([...place, "previous_until"]);
    if (graceSeconds > 0) {
      const until = new Date(Date.now() + graceSeconds * 1000).toISOString();
      this.#document.setIn([...place, "previous_hash"], before);
      this.#document.setIn([...place, "previous_until"], until);
    }
    await this.#write();
    return key;
  }

  /** @throws UsageError if there is no key of this id */
  async revoke(id: string): Promise<void> {
    this.#document.deleteIn(["keys", this.#requireIndex(id)]);
    await this.#write();
  }

  /** All keys of a file share one salt, so a request costs one hash, however many keys there are. */
  async #hash(key: string): Promise<string> {
    const first: unknown = this.#document.getIn(["keys", 0, "hash"]);
    const salt = (typeof first === "string" ? parseHash(first)?.salt : undefined) ?? newSalt();
    return formatHash(await hashKey(key, salt));
  }

  #indexOf(id: string): number | undefined {
    const index = this.#check().findIndex((key) => key.id === id);
    return index < 0 ? undefined : index;
  }

  #requireIndex(id: string): number {
    const index = this.#indexOf(id);
    if (index !== undefined) return index;
    const ids = this.#check().map((key) => key.id);
    throw new UsageError(
      `There is no key '${id}'; the file has ${ids.length === 0 ? "no keys" : `these: ${ids.join(", ")}`}.`,
    );
  }

  #check() {
    try {
      return readKeyFile(this.#document.toJS());
    } catch (error) {
      if (error instanceof KeyFileError) throw new UsageError(`--keys ${this.#path}: ${error.message}.`);
      throw error;
    }
  }

  get #isJson(): boolean {
    return this.#path.endsWith(".json");
  }

  /** Writes atomically, readable only by the owner. */
  async #write(): Promise<void> {
    this.#check();
    const text = this.#isJson
      ? `${JSON.stringify(this.#document.toJS(), undefined, 2)}\n`
      : stringify(this.#document, { lineWidth: 0 });
    const temporary = `${this.#path}.${randomUUID()}`;
    try {
      const file = await open(temporary, "wx", 0o600);
      try {
        await file.writeFile(text);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, this.#path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw new UsageError(
        `--keys ${this.#path} cannot be written (${(error as NodeJS.ErrnoException).code}).`,
      );
    }
  }
}
