import { readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { isAlive } from "./is-alive.ts";

/**
 * Runs `work` while no other process of this machine does the same under this lock. A lock left by a process
 * that is dead is taken over.
 */
export async function withFileLock<T>(path: string, onWait: () => void, work: () => Promise<T>): Promise<T> {
  let told = false;
  while (!(await tryLock(path))) {
    if (!told) onWait();
    told = true;
    await sleep(LOOK_MS);
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

/** How often whoever waits looks whether it is free, in milliseconds. */
const LOOK_MS = 50;

/** How often a holder shows that it lives, in milliseconds. */
const REFRESH_MS = 2_000;

/** A process id may have passed to somebody else, or mean another process in a container. */
async function isFresh(path: string): Promise<boolean> {
  const written = (await stat(path).catch(() => undefined))?.mtimeMs ?? 0;
  return Date.now() - written < 5 * REFRESH_MS;
}

/** Locks that this process has or is about to take: another one may have had its id before. */
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
      if (state === "left") await clear(path);
      isTaken = await create(path);
    }
    return true;
  } finally {
    if (!isTaken) heldHere.delete(path);
  }
}

/** Takes away what a dead process left: one process at a time, or the second would take away the first one's new lock. */
async function clear(path: string): Promise<void> {
  const guard = `${path}.clearing`;
  if (!(await create(guard))) {
    if (!(await isFresh(guard))) await rm(guard, { force: true });
    return sleep(LOOK_MS);
  }
  try {
    if ((await stateOf(path)) === "left") await rm(path, { force: true });
  } finally {
    await rm(guard, { force: true });
  }
}

/** False where it is there already. */
async function create(path: string): Promise<boolean> {
  try {
    await writeFile(path, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    return false;
  }
}

/** Whether another process has the lock, or has left it behind; or it is gone by now. */
async function stateOf(path: string): Promise<"held" | "left" | "gone"> {
  const text = await readFile(path, "utf8").catch(() => undefined);
  if (text === undefined) return "gone";
  if (text === String(process.pid)) return "left";
  // Whoever has just made the file is about to write its id into it.
  return (text === "" || isAlive(Number(text))) && (await isFresh(path)) ? "held" : "left";
}
