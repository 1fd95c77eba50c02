import { readdir, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** How often a folder is swept, in milliseconds. */
const EVERY_MS = 3_600_000;
/** Expired files stay for a while: another gateway, whose clock differs, may be changing one. */
const GRACE_MS = 3_600_000;
/** Tells by its time when the folder was swept last, by any gateway. */
const MARK = ".swept";

/** Removes files of a folder that have expired, from time to time; of the gateways that share it, one at a time does so. */
export class Sweeper {
  readonly #folder: string;
  readonly #ttlMs: number;
  #next = 0;

  constructor(folder: string, ttlMs: number) {
    this.#folder = folder;
    this.#ttlMs = ttlMs;
  }

  /** Sweeps if it is time to. What fails is left to the next time. */
  sweepInBackground(): void {
    void this.sweep().catch(() => {});
  }

  /** Sweeps if it is time to. @throws the system's error if the folder cannot be read */
  async sweep(now = Date.now()): Promise<void> {
    if (now < this.#next) return;
    this.#next = now + EVERY_MS;
    if (now - (await changedAt(join(this.#folder, MARK))) < EVERY_MS) return;
    await writeFile(join(this.#folder, MARK), "", { mode: 0o600 });
    await utimes(join(this.#folder, MARK), now / 1000, now / 1000);
    for (const name of await readdir(this.#folder)) {
      const path = join(this.#folder, name);
      if (name !== MARK && now - (await changedAt(path, now)) > this.#ttlMs + GRACE_MS)
        await rm(path, { force: true });
    }
  }
}

/** When a file was changed, in milliseconds since 1970; `missing` if it does not exist. */
const changedAt = (path: string, missing = 0): Promise<number> =>
  stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => missing,
  );
