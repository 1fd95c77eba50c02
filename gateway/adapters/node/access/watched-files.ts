import { stat } from "node:fs/promises";

/** How often files are looked at, in milliseconds. */
const LOOK_MS = 1_000;

/**
 * Calls `onChange` after any of the files has become another one. They are looked at, not listened to: that also
 * finds what is renamed into their place, and what lies behind links, as in Kubernetes.
 * @returns ends it
 */
export function watchFiles(paths: readonly string[], onChange: () => Promise<void>): () => void {
  let isLooking = false;
  let before: Promise<string> = fingerprint(paths);
  const timer = setInterval(async () => {
    if (isLooking) return;
    isLooking = true;
    const now = await fingerprint(paths);
    const hasChanged = now !== (await before);
    before = Promise.resolve(now);
    if (hasChanged) await onChange();
    isLooking = false;
  }, LOOK_MS);
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
