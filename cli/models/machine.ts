import { statfs } from "node:fs/promises";
import { totalmem } from "node:os";

/** Bytes that can still be written to the folder's file system; undefined if the system does not tell. */
export async function freeSpace(folder: string): Promise<number | undefined> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  } catch {
    return undefined;
  }
}

/** Bytes of memory that this process can use: the machine's, or what its container is limited to. */
export function machineMemory(): number {
  const limit = process.constrainedMemory?.() ?? 0;
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}
