import { readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { isAlive } from "./is-alive.ts";

/**
 * Runs `work` while holding a lock file, which excludes other processes on this machine. Takes over the lock of a dead
 * process.
 */
export async function withFileLock<T>(path: string, onWait: () => void, work: () => Promise<T>): Promise<T> {
  let hasWaited = false;
  while (!(await tryLock(path))) {
    if (!hasWaited) onWait();
    hasWaited = true;
    await sleep(POLL_MS);
  }
  const refresh = setInterval(() => void utimes(path, new Date(), new Date()).catch(() => {}), REFRESH_MS);
  try {
    return await work();
  } finally {
    clearInterval(refresh);
    heldHere.delete(path);
    await rm(path, { force: true });
  }
}

/** How often a waiting process checks the lock, in milliseconds. */
const POLL_MS = 50;

/** How often the holder refreshes the lock, in milliseconds. */
const REFRESH_MS = 2_000;

/** Whether the lock was refreshed recently: its process id may have been reused, or belong to another container. */
async function isFresh(path: string): Promise<boolean> {
  const written = (await stat(path).catch(() => undefined))?.mtimeMs ?? 0;
  return Date.now() - written < 5 * REFRESH_MS;
}

/** Locks that this process holds or is acquiring: an earlier process may have had the same id. */
const heldHere = new Set<string>();

async function tryLock(path: string): Promise<boolean> {
  if (heldHere.has(path)) return false;
  heldHere.add(path);
  let isTaken = false;
  try {
    isTaken = await create(path);
    while (!isTaken) {
      const state = await stateOf(path);
      if (state === "held") return false;
      if (state === "stale") await clear(path);
      isTaken = await create(path);
    }
    return true;
  } finally {
    if (!isTaken) heldHere.delete(path);
  }
}

/** Removes a stale lock, one process at a time: else a second one could remove the first one's new lock. */
async function clear(path: string): Promise<void> {
  const guard = `${path}.clearing`;
  if (!(await create(guard))) {
    if (!(await isFresh(guard))) await rm(guard, { force: true });
    return sleep(POLL_MS);
  }
  try {
    if ((await stateOf(path)) === "stale") await rm(path, { force: true });
  } finally {
    await rm(guard, { force: true });
  }
}

/** Returns false if it exists already. */
async function create(path: string): Promise<boolean> {
  try {
    await writeFile(path, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    return false;
  }
}

/** Whether another process holds the lock, died with it, or has released it. */
async function stateOf(path: string): Promise<"held" | "stale" | "gone"> {
  const text = await readFile(path, "utf8").catch(() => undefined);
  if (text === undefined) return "gone";
  if (text === String(process.pid)) return "stale";
  // An empty file was just created; its holder is about to write its id.
  return (text === "" || isAlive(Number(text))) && (await isFresh(path)) ? "held" : "stale";
}
