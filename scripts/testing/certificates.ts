import { execFile } from "node:child_process";
import { rename } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const openssl = async (...args: string[]) => promisify(execFile)("openssl", args);

const EC_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/** Paths of a certificate and its key in PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** A self-signed certificate authority. */
export async function makeAuthority(folder: string, name: string): Promise<Certificate> {
  const made = filesOf(folder, name);
  const subject = ["-subj", `/CN=${name}`, "-days", "2"];
  await openssl("req", "-x509", ...EC_KEY, ...subject, "-keyout", made.key, "-out", made.cert);
  return made;
}

/** A certificate for 127.0.0.1, signed by the authority. */
export async function makeCertificate(
  folder: string,
  name: string,
  authority: Certificate,
): Promise<Certificate> {
  const made = filesOf(folder, name);
  const signed = ["-CA", authority.cert, "-CAkey", authority.key, "-days", "2"];
  const subject = ["-subj", `/CN=${name}`, "-addext", "subjectAltName=IP:127.0.0.1"];
  await openssl("req", "-x509", ...EC_KEY, ...signed, ...subject, "-keyout", made.key, "-out", made.cert);
  return made;
}

/** Replaces the files of a certificate and its key. */
export async function replace(before: Certificate, now: Certificate): Promise<void> {
  await rename(now.key, before.key);
  await rename(now.cert, before.cert);
}

const filesOf = (folder: string, name: string): Certificate => ({
  cert: join(folder, `${name}.pem`),
  key: join(folder, `${name}.key`),
});
