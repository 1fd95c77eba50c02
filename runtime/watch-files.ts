import { stat } from "node:fs/promises";

/** How often files are checked, in milliseconds. */
const CHECK_MS = 1_000;

/**
 * Calls `onChange` after any of the files has changed. Polling also catches files that are replaced by a rename or
 * are behind symbolic links, as in Kubernetes.
 * @returns stops watching
 */
export function watchFiles(paths: readonly string[], onChange: () => Promise<void>): () => void {
  let isChecking = false;
  let before: Promise<string> = fingerprint(paths);
  const timer = setInterval(async () => {
    if (isChecking) return;
    isChecking = true;
    const now = await fingerprint(paths);
    const hasChanged = now !== (await before);
    before = Promise.resolve(now);
    if (hasChanged) await onChange();
    isChecking = false;
  }, CHECK_MS);
  timer.unref();
  return () => clearInterval(timer);
}

async function fingerprint(paths: readonly string[]): Promise<string> {
  const parts = await Promise.all(
    paths.map(async (path) => {
      const found = await stat(path).catch(() => undefined);
      return found === undefined ? "none" : `${found.ino} ${found.size} ${found.mtimeMs}`;
    }),
  );
  return parts.join("|");
}
