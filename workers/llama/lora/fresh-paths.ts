import { mkdtemp, rm, stat, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";

/**
 * Paths by which llama.cpp's binding reads adapters: it keeps what it has read by path for as long as the model is
 * loaded, so a file that has changed since needs another path.
 */
export class FreshPaths {
  /** What each path was when it was read: its time and size. */
  readonly #read = new Map<string, string>();

  /**
   * Calls `use` with a path of the file under which it has not been read, unless it is the same as then.
   * @throws the system's error if there is no such file
   */
  async use<Value>(path: string, use: (path: string) => Promise<Value>): Promise<Value> {
    const full = resolve(path);
    const { mtimeMs, size } = await stat(full);
    const version = `${mtimeMs} ${size}`;
    const known = this.#read.get(full);
    if (known === undefined || known === version) {
      this.#read.set(full, version);
      return use(full);
    }
    const folder = await mkdtemp(join(tmpdir(), "stator-lora-"));
    try {
      const link = join(folder, basename(full));
      await symlink(full, link);
      return await use(link);
    } finally {
      await rm(folder, { recursive: true });
    }
  }
}
