import { readFileSync } from "node:fs";

/** Open files for everything but requests: the log, the store, health checks, workers. */
const RESERVED = 64;
/** A request needs a connection from its client and one to an engine. */
const FILES_PER_CONNECTION = 2;
const MIN_CONNECTIONS = 16;

/** This process's limit of open files; undefined if the system does not report it. */
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
 * The most client connections that the limit of open files allows.
 * @param wanted the operator's limit
 */
export function connectionLimit(wanted: number, files = openFileLimit()): number {
  if (files === undefined) return wanted;
  return Math.min(wanted, Math.max(MIN_CONNECTIONS, Math.floor((files - RESERVED) / FILES_PER_CONNECTION)));
}
