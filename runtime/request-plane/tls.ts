import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import { type ClientTls, PlaneError, type ServerTls } from "./types.ts";

/** A server's certificate, and the clients that it admits. */
export interface ServerIdentity {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Authorities of client certificates, which are then required. */
  readonly ca: Buffer | undefined;
  readonly requestCert: boolean;
}

/** @throws PlaneError `invalid_request` that names the missing or unusable file */
export async function readServerTls({ cert, key, clientCa }: ServerTls): Promise<ServerIdentity> {
  const identity = {
    cert: await readPem(cert),
    key: await readPem(key),
    ca: clientCa === undefined ? undefined : await readPem(clientCa),
    requestCert: clientCa !== undefined,
  };
  check(identity, cert, key);
  return identity;
}

/** @throws PlaneError `invalid_request` that names the missing or unusable file */
export async function readClientTls({ ca, cert, key }: ClientTls) {
  const identity = {
    ...(ca !== undefined && { ca: await readPem(ca) }),
    ...(cert !== undefined && { cert: await readPem(cert) }),
    ...(key !== undefined && { key: await readPem(key) }),
  };
  check(identity, cert, key);
  return identity;
}

async function readPem(path: string): Promise<Buffer> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new PlaneError("invalid_request", `${path} cannot be read (${code}).`, { cause });
  }
  if (bytes.includes("-----BEGIN ")) return bytes;
  throw new PlaneError("invalid_request", `${path} is not a PEM file: it has no '-----BEGIN …' line.`);
}

function check(
  identity: Parameters<typeof createSecureContext>[0],
  cert: string | undefined,
  key: string | undefined,
): void {
  try {
    createSecureContext(identity);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const reason =
      code === "ERR_OSSL_X509_KEY_VALUES_MISMATCH"
        ? `${key} is not the key of the certificate in ${cert}.`
        : `The certificate in ${cert} and its key cannot be used: ${message}.`;
    throw new PlaneError("invalid_request", reason, { cause });
  }
}
