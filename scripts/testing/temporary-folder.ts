import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const folders: string[] = [];

/** A new folder. It is removed after the test file, once the processes that the file started have ended. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "stator-test-"));
  folders.push(folder);
  return folder;
}

/** Removes the folders of a test file. A process that is just ending may still write, so it tries again. */
export function removeTemporaryFolders(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
}
