import { type Logger, messageOf } from "#runtime";
import { AccessError } from "../../access/parse-keys.ts";
import type { ReadTextFile } from "../../access/watched-keys.ts";
import type { ServerTlsFiles } from "../listening.ts";

/** A server's certificate and key, and the authorities of its clients, in PEM. */
export interface TlsTexts {
  readonly cert: string;
  readonly key: string;
  readonly clientCa: string | undefined;
}

/** How often files are checked, in milliseconds. */
const CHECK_MS = 1_000;

/** @throws AccessError for a file that cannot be read or is not PEM */
export async function readTlsTexts(
  { cert, key, clientCa }: ServerTlsFiles,
  readTextFile: ReadTextFile,
): Promise<TlsTexts> {
  const read = async (flag: string, path: string) => {
    const text = await readTextFile(path).catch(() => undefined);
    if (text === undefined) throw new AccessError(`${flag} ${path} cannot be read.`);
    if (text.includes("-----BEGIN ")) return text;
    throw new AccessError(`${flag} ${path} is not a PEM file: it has no '-----BEGIN …' line.`);
  };
  return {
    cert: await read("--tls-cert", cert),
    key: await read("--tls-key", key),
    clientCa: clientCa === undefined ? undefined : await read("--tls-client-ca", clientCa),
  };
}

/**
 * Calls `onChange` with each new certificate. An unusable one leaves the current one in place.
 * @param onChange rejects if the certificate is unusable
 * @returns stops watching
 */
export function watchTlsTexts(
  files: ServerTlsFiles,
  first: TlsTexts,
  { readTextFile, log }: { readTextFile: ReadTextFile; log: Logger },
  onChange: (tls: TlsTexts) => Promise<void>,
): () => void {
  let before = JSON.stringify(first);
  let lastReason: string | undefined;
  const check = async () => {
    try {
      const now = await readTlsTexts(files, readTextFile);
      const text = JSON.stringify(now);
      if (text === before) return;
      before = text;
      await onChange(now);
      lastReason = undefined;
      log.info("certificate reloaded");
    } catch (error) {
      const reason = messageOf(error);
      if (reason === lastReason) return;
      lastReason = reason;
      // Certificate and key are two files: between the two writes they do not match.
      log.warn("the certificate files have changed and are unusable; keeping the previous certificate", {
        reason,
      });
    }
  };
  const timer = setInterval(() => void check(), CHECK_MS);
  return () => clearInterval(timer);
}
