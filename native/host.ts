import { readFileSync, readlinkSync, statSync } from "node:fs";
import { hostname } from "node:os";

/** Where staging files are: memory, not a disk. */
export const SHARED_MEMORY_FOLDER = "/dev/shm";

/**
 * Names this host as seen from this process: two processes have the same name if they run on the same boot of the same
 * machine, with the same shared memory and process ids. Containers of one machine usually differ.
 */
export function hostIdentity(): string {
  return [
    attempt(() => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()) ?? hostname(),
    attempt(() => readlinkSync("/proc/self/ns/pid")),
    attempt(() => {
      const { dev, ino } = statSync(SHARED_MEMORY_FOLDER);
      return `${dev}:${ino}`;
    }),
  ].join(" ");
}

/** Whether this machine has memory that processes can share as files. */
export const hasSharedMemory = (): boolean =>
  process.platform === "linux" && attempt(() => statSync(SHARED_MEMORY_FOLDER).isDirectory()) === true;

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
