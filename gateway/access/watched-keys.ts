import type { Logger } from "#runtime";
import { KeyRing } from "./key-ring.ts";
import { AccessError, parseKeys } from "./parse-keys.ts";

/** How often the file is looked at, in milliseconds. */
const LOOK_MS = 1_000;

/** Text of a file; undefined where there is none. @throws the system's error where it cannot be read */
export type ReadTextFile = (path: string) => Promise<string | undefined>;

export interface WatchedKeyRing {
  readonly ring: KeyRing;
  close(): void;
}

/**
 * Opens a file of keys, and follows its changes. One that cannot be used later leaves the keys as they were. The file
 * is looked at, not listened to: that also finds what is renamed into its place or lies behind links, as in Kubernetes.
 * @throws AccessError where it cannot be used now
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
  const look = async () => {
    try {
      const text = await readText(path, readTextFile);
      if (text === before && lastReason === undefined) return;
      if (text !== before) ring.replace(parseKeys(text, `--keys ${path}`));
      before = text;
      lastReason = undefined;
      log.info("keys read again", { keys: ring.size });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (reason === lastReason) return;
      lastReason = reason;
      log.error("the file of keys has changed and cannot be used; those before go on to count", { reason });
    }
  };
  const timer = setInterval(() => void look(), LOOK_MS);
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
    `--keys ${path}: there is no such file. Make it with: stator keys add NAME --keys ${path}`,
  );
}
