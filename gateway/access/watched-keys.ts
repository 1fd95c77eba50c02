import { type Logger, messageOf } from "#runtime";
import { KeyRing } from "./key-ring.ts";
import { AccessError, parseKeys } from "./parse-keys.ts";

/** How often the file is checked, in milliseconds. */
const CHECK_MS = 1_000;

/** A file's text; undefined if it does not exist. @throws the system's error if it cannot be read */
export type ReadTextFile = (path: string) => Promise<string | undefined>;

export interface WatchedKeyRing {
  readonly ring: KeyRing;
  close(): void;
}

/**
 * Reads a key file, and reloads it when it changes. If it becomes unusable, the keys stay as they were. Polling also
 * catches files that are replaced by a rename or are behind symbolic links, as in Kubernetes.
 * @throws AccessError if it is unusable now
 */
export async function openKeyRing(
  path: string,
  readTextFile: ReadTextFile,
  log: Logger,
): Promise<WatchedKeyRing> {
  let before = await readText(path, readTextFile);
  const ring = new KeyRing(parseKeys(before, `--keys ${path}`));
  log.info("keys read", { keys: ring.size });
  let lastReason: string | undefined;
  const check = async () => {
    try {
      const text = await readText(path, readTextFile);
      if (text === before && lastReason === undefined) return;
      if (text !== before) ring.replace(parseKeys(text, `--keys ${path}`));
      before = text;
      lastReason = undefined;
      log.info("keys reloaded", { keys: ring.size });
    } catch (error) {
      const reason = messageOf(error);
      if (reason === lastReason) return;
      lastReason = reason;
      log.error("the key file has changed and is unusable; keeping the previous keys", { reason });
    }
  };
  const timer = setInterval(() => void check(), CHECK_MS);
  return { ring, close: () => clearInterval(timer) };
}

async function readText(path: string, readTextFile: ReadTextFile): Promise<string> {
  let text: string | undefined;
  try {
    text = await readTextFile(path);
  } catch (error) {
    const code: unknown = Reflect.get(Object(error), "code");
    throw new AccessError(`--keys ${path} cannot be read (${code ?? "not a file"}).`);
  }
  if (text !== undefined) return text;
  throw new AccessError(
    `--keys ${path}: the file does not exist. Create it with: stator keys add NAME --keys ${path}`,
  );
}
