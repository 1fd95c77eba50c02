import { mkdir, readdir, rename, rm, stat, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { randomId } from "../ids.ts";
import { DiscoveryError } from "./types.ts";

/**
 * The directory under file discovery, and the few operations on it that are safe whoever is killed when:
 * a file appears whole or not at all (written aside, then renamed), and removing what is gone is no error.
 */
export class FileStore {
  readonly entries: string;
  readonly leases: string;
  readonly #aside: string;

  constructor(directory: string) {
    this.entries = join(directory, "entries");
    this.leases = join(directory, "leases");
    this.#aside = join(directory, "tmp");
  }

  /**
   * Makes the directories, and removes what writers that died left half-written.
   *
   * @throws DiscoveryError `store_failed`
   */
  async prepare(): Promise<void> {
    try {
      for (const path of [this.entries, this.leases, this.#aside]) await mkdir(path, { recursive: true });
    } catch (cause) {
      throw failed(`make the directory`, cause);
    }
    for (const name of await list(this.#aside)) {
      const path = join(this.#aside, name);
      const written = await stat(path).catch(() => undefined);
      if (written && Date.now() - written.mtimeMs > abandonedMs) await remove(path);
    }
  }

  /** Puts a whole file at `path`. */
  async write(path: string, content: string): Promise<void> {
    try {
      await this.#write(path, content);
    } catch (error) {
      if (!isMissing(error)) throw failed(`write ${path}`, error);
      // Somebody removed the directory.
      await this.prepare();
      await this.#write(path, content);
    }
  }

  async #write(path: string, content: string): Promise<void> {
    const aside = join(this.#aside, `${process.pid}-${randomId()}`);
    await writeFile(aside, content);
    await rename(aside, path);
  }
}

/** The names in a directory; none where it is not there. */
export async function list(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (isMissing(error)) return [];
    throw failed(`read ${directory}`, error);
  }
}

/** Removes a file that may be gone already. */
export async function remove(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (!isMissing(error)) await rm(path, { force: true, recursive: true }).catch(() => {});
  }
}

export function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

function failed(what: string, cause: unknown): DiscoveryError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new DiscoveryError("store_failed", `File discovery could not ${what}: ${why}.`, { cause });
}

/** A file that is written aside is renamed at once; after this long its writer is dead. */
const abandonedMs = 60_000;
