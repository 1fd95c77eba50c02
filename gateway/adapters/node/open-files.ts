import { readFileSync } from "node:fs";

/** Files that a gateway needs besides connections: its log, its store, its workers and engines. */
const RESERVED = 64;
/** A request takes a connection from its client, and one to an engine. */
const FILES_PER_CONNECTION = 2;
const FEWEST = 16;

/** How many files this process may have open; undefined where the system does not say. */
function openFileLimit(): number | undefined {
  try {
    const limits = readFileSync("/proc/self/limits", "utf8");
    const [, soft] = /^Max open files\s+(\d+)/m.exec(limits) ?? [];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}

/**
 * The most connections from clients for which there are files.
 * @param wanted the operator's limit
 */
export function connectionLimit(wanted: number, files = openFileLimit()): number {
  if (files === undefined) return wanted;
  return Math.min(wanted, Math.max(FEWEST, Math.floor((files - RESERVED) / FILES_PER_CONNECTION)));
}
