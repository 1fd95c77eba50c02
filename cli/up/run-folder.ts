import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { isAlive } from "../is-alive.ts";

/**
 * The folder that `stator up` shares with its children for their sockets and discovery. Its name contains the process
 * id, so that a later start can remove the folder of a killed process tree.
 */
export function createRunFolder(): string {
  const folder = createProcessFolder();
  mkdirSync(join(folder, "discovery"));
  return folder;
}

/** A temporary folder of this process. A later start removes those of dead processes. */
export function createProcessFolder(): string {
  removeStaleRunFolders();
  return mkdtempSync(join(tmpdir(), `stator-${process.pid}-`));
}

/**
 * Removes the run folder that contains a discovery URL, if its `stator up` is dead. Each child does this as it exits, so
 * that the last one leaves nothing behind.
 */
export function removeOrphanedRunFolder(discoveryUrl: string): void {
  const folder = dirname(discoveryUrl.replace(/^file:/, ""));
  const pid = RUN_FOLDER.exec(basename(folder))?.[1];
  if (pid !== undefined && !isAlive(Number(pid))) removeRunFolder(folder);
}

const RUN_FOLDER = /^stator-(\d+)-[A-Za-z0-9]{6}$/;

export const removeRunFolder = (folder: string) =>
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });

function removeStaleRunFolders(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = RUN_FOLDER.exec(name)?.[1];
    if (pid === undefined || isAlive(Number(pid))) continue;
    try {
      removeRunFolder(join(tmpdir(), name));
    } catch {
      // It is another user's, or another start is just removing it.
    }
  }
}
