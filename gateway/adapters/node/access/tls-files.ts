import { X509Certificate } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import { type Logger, messageOf } from "#runtime";
import { watchFiles } from "#runtime/node";
import { AccessError } from "../../../access/parse-keys.ts";
import type { EngineTlsFiles, ServerTlsFiles } from "../../listening.ts";
import type { TlsIdentity } from "../server.ts";

/** @throws AccessError if a file cannot be read or is not PEM, or the key does not match the certificate */
export async function readTls({ cert, key, clientCa }: ServerTlsFiles): Promise<TlsIdentity> {
  const identity = {
    cert: await readPem("--tls-cert", cert),
    key: await readPem("--tls-key", key),
    clientCa: clientCa === undefined ? undefined : await readPem("--tls-client-ca", clientCa),
  };
  checkPair(identity, "--tls-cert", "--tls-key");
  return identity;
}

/**
 * Logs warnings about TLS files that are usable but problematic.
 * @param now on the clock of `Date.now()`
 */
export async function warnOfTls(
  { cert, key }: ServerTlsFiles,
  tls: TlsIdentity,
  log: Logger,
  now = Date.now(),
) {
  const { validFrom, validTo } = new X509Certificate(tls.cert);
  if (now > Date.parse(validTo))
    log.warn("the certificate in --tls-cert has expired; clients will reject it", { cert, validTo });
  else if (now > Date.parse(validTo) - SOON_MS)
    log.warn("the certificate in --tls-cert expires soon", { cert, validTo });
  if (now < Date.parse(validFrom))
    log.warn("the certificate in --tls-cert is not valid yet; clients will reject it", { cert, validFrom });
  const { mode } = await stat(key);
  if (process.platform !== "win32" && (mode & 0o004) !== 0)
    log.warn("every user of this machine can read the private key in --tls-key; fix it with chmod o-r", {
      key,
      mode: (mode & 0o777).toString(8),
    });
}

const SOON_MS = 86_400_000;

/**
 * Calls `onChange` with each new certificate. Unusable files leave the current one in place.
 * @returns stops watching
 */
export function watchTls(
  files: ServerTlsFiles,
  onChange: (tls: TlsIdentity) => void,
  log: Logger,
): () => void {
  const paths = [files.cert, files.key, files.clientCa].filter((path) => path !== undefined);
  return watchFiles(paths, async () => {
    try {
      const tls = await readTls(files);
      onChange(tls);
      log.info("certificate reloaded");
      await warnOfTls(files, tls, log);
    } catch (error) {
      // Certificate and key are two files: between the two writes they do not match.
      log.warn("the certificate files have changed and are unusable; keeping the previous certificate", {
        reason: messageOf(error),
      });
    }
  });
}

export interface EngineTls {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

/** @throws AccessError as `readTls` */
export async function readEngineTls({ ca, cert, key }: EngineTlsFiles): Promise<EngineTls | undefined> {
  if (ca === undefined && cert === undefined) return undefined;
  const tls = {
    ...(ca !== undefined && { ca: await readPem("--engine-ca", ca) }),
    ...(cert !== undefined && { cert: await readPem("--engine-tls-cert", cert) }),
    ...(key !== undefined && { key: await readPem("--engine-tls-key", key) }),
  };
  checkPair(tls, "--engine-tls-cert", "--engine-tls-key");
  return tls;
}

async function readPem(flag: string, path: string): Promise<Buffer> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw new AccessError(`${flag} ${path} cannot be read (${(error as NodeJS.ErrnoException).code}).`);
  }
  if (bytes.includes("-----BEGIN ")) return bytes;
  throw new AccessError(`${flag} ${path} is not a PEM file: it has no '-----BEGIN …' line.`);
}

function checkPair(
  tls: { cert?: Buffer; key?: Buffer; ca?: Buffer },
  certFlag: string,
  keyFlag: string,
): void {
  try {
    createSecureContext(tls);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ERR_OSSL_X509_KEY_VALUES_MISMATCH")
      throw new AccessError(`${keyFlag} is not the key of the certificate in ${certFlag}.`);
    throw new AccessError(`${certFlag} and ${keyFlag} cannot be used: ${message}.`);
  }
}
