import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { isAlive } from "../is-alive.ts";

/**
 * The folder that `stator up` shares with its children: their sockets and their discovery. Its name carries
 * the process id, so that a later start can remove what a killed machine or process tree left behind.
 */
export function createRunFolder(): string {
  removeStaleRunFolders();
  const folder = mkdtempSync(join(tmpdir(), `stator-${process.pid}-`));
  mkdirSync(join(folder, "discovery"));
  return folder;
}

/**
 * Removes the run folder that a discovery URL lies in, if the `stator up` that made it is dead: its children do
 * that as they end, each of them, so that the last one leaves nothing.
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
      // Another user's, or another start removes it at this moment: not ours to mend.
    }
  }
}
