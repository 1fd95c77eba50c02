import type { Logger } from "#runtime";
import { AccessError } from "../../access/parse-keys.ts";
import type { ReadTextFile } from "../../access/watched-keys.ts";
import type { TlsFiles } from "../listening.ts";

/** Certificate and key of a server in PEM, and the authorities of its clients. */
export interface TlsTexts {
  readonly cert: string;
  readonly key: string;
  readonly clientCa: string | undefined;
}

/** How often files are looked at, in milliseconds. */
const LOOK_MS = 1_000;

/** @throws AccessError for a file that cannot be read or is not PEM */
export async function readTlsTexts(
  { cert, key, clientCa }: TlsFiles,
  readTextFile: ReadTextFile,
): Promise<TlsTexts> {
  const read = async (flag: string, path: string) => {
    const text = await readTextFile(path).catch(() => undefined);
    if (text === undefined) throw new AccessError(`${flag} ${path} cannot be read.`);
    if (text.includes("-----BEGIN ")) return text;
    throw new AccessError(`${flag} ${path} is not in PEM, which has '-----BEGIN …' in it.`);
  };
  return {
    cert: await read("--tls-cert", cert),
    key: await read("--tls-key", key),
    clientCa: clientCa === undefined ? undefined : await read("--tls-client-ca", clientCa),
  };
}

/**
 * Hands on each new certificate that comes into the files' place. One that cannot be used leaves it as it was.
 * @param onChange rejects where they do not fit
 * @returns ends it
 */
export function watchTlsTexts(
  files: TlsFiles,
  first: TlsTexts,
  { readTextFile, log }: { readTextFile: ReadTextFile; log: Logger },
  onChange: (tls: TlsTexts) => Promise<void>,
): () => void {
  let before = JSON.stringify(first);
  let lastReason: string | undefined;
  const look = async () => {
    try {
      const now = await readTlsTexts(files, readTextFile);
      const text = JSON.stringify(now);
      if (text === before) return;
      before = text;
      await onChange(now);
      lastReason = undefined;
      log.info("certificate read again");
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (reason === lastReason) return;
      lastReason = reason;
      // Certificate and key are two files: between the two writes they do not fit.
      log.warn("the certificate's files have changed and cannot be used; the one before goes on to count", {
        reason,
      });
    }
  };
  const timer = setInterval(() => void look(), LOOK_MS);
  return () => clearInterval(timer);
}
