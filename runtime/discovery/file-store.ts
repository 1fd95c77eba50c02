import { mkdir, readdir, rename, rm, stat, unlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { randomId } from "../ids.ts";
import { messageOf } from "../message-of.ts";
import { DiscoveryError } from "./types.ts";

/**
 * The directory of file discovery, with crash-safe operations: a file appears completely or not at all (written to a
 * temporary file, then renamed), and removing a missing file is not an error.
 */
export class FileStore {
  readonly entries: string;
  readonly leases: string;
  readonly #temporary: string;

  constructor(directory: string) {
    this.entries = join(directory, "entries");
    this.leases = join(directory, "leases");
    this.#temporary = join(directory, "tmp");
  }

  /**
   * Creates the directories, and removes half-written files of dead writers.
   *
   * @throws DiscoveryError `store_failed`
   */
  async prepare(): Promise<void> {
    try {
      for (const path of [this.entries, this.leases, this.#temporary]) await makeFolder(path);
    } catch (cause) {
      throw failed("create the directory", cause);
    }
    for (const name of await listFolder(this.#temporary)) {
      const path = join(this.#temporary, name);
      const written = await stat(path).catch(() => undefined);
      if (written && Date.now() - written.mtimeMs > abandonedMs) await remove(path);
    }
  }

  /** Writes a file atomically. */
  async write(path: string, content: string): Promise<void> {
    try {
      await this.#write(path, content);
    } catch (error) {
      if (!isMissing(error)) throw failed(`write ${path}`, error);
      // The directory has been removed.
      await this.prepare();
      await this.#write(path, content);
    }
  }

  async #write(path: string, content: string): Promise<void> {
    const temporary = join(this.#temporary, `${process.pid}-${randomId()}`);
    await writeFile(temporary, content);
    await rename(temporary, path);
  }
}

/**
 * Creates a directory with its parents. Node's recursive `mkdir` never ends where an existing parent says that a
 * child cannot exist, such as `/proc`.
 */
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    if (await isFolder(path)) return;
    const parent = dirname(path);
    if (!isMissing(error) || parent === path) throw error;
    await makeFolder(parent);
    await mkdir(path).catch(async (again) => {
      // Another process may have created it meanwhile.
      if (!(await isFolder(path))) throw again;
    });
  }
}

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );

/** The names in a directory; empty if it does not exist. */
export async function listFolder(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (isMissing(error)) return [];
    throw failed(`read ${directory}`, error);
  }
}

/** Removes a file, if it exists. */
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
  const why = messageOf(cause);
  return new DiscoveryError("store_failed", `File discovery could not ${what}: ${why}.`, { cause });
}

/** A temporary file is renamed at once; after this long its writer is dead. */
const abandonedMs = 60_000;
