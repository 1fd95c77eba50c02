import { resolve } from "node:path";
import { UsageError } from "../options/read.ts";
import { createProcessFolder, removeRunFolder } from "../up/run-folder.ts";

const FILE = "file:";

/**
 * Where `--responses-store` keeps responses; undefined for memory. Several processes share no memory, so that a temporary
 * folder takes its place.
 * @throws UsageError for a store that does not exist
 */
export function responsesStore(store = "memory", processes = 1): string | undefined {
  if (store.startsWith(FILE) && store.length > FILE.length)
    return `${FILE}${resolve(store.slice(FILE.length))}`;
  if (/^nats:\/\/./.test(store)) return store;
  if (store !== "memory")
    throw new UsageError(
      `--responses-store '${store}' is not a store. Use memory, file: and a folder, or nats://HOST:PORT.`,
    );
  return processes > 1 ? `${FILE}${temporaryFolder()}` : undefined;
}

/** A folder that is removed when the process ends. */
function temporaryFolder(): string {
  const folder = createProcessFolder();
  process.on("exit", () => removeRunFolder(folder));
  return folder;
}
