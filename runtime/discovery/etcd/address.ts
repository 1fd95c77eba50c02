import { createSecureContext } from "node:tls";
import {
  parseServerUrl,
  readTlsFiles,
  type ServerUrl,
  ServerUrlError,
  type ServerUrlForm,
  type TlsFiles,
} from "../../server-url.ts";
import { DiscoveryError } from "../types.ts";

/** The addresses of etcd, and this process's credentials. */
export interface EtcdAddress {
  /** `host:port` of each member. */
  readonly members: readonly string[];
  /** Prefix of every key; begins and ends with a slash. */
  readonly prefix: string;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly tls: TlsFiles | undefined;
}

const FORM: ServerUrlForm = {
  name: "etcd",
  form: "etcd://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]…][/PREFIX][?tls&ca=FILE&cert=FILE&key=FILE]",
  defaultPort: 2379,
  options: ["tls", "ca", "cert", "key"],
};
const DEFAULT_PREFIX = "stator";

/**
 * @param place the URL without its scheme
 * @throws DiscoveryError `bad_url` if it is malformed or names a file that cannot be read
 */
export async function readEtcdAddress(place: string): Promise<EtcdAddress> {
  try {
    const url = parseServerUrl(place, FORM);
    const { hosts, path, user, secret } = url;
    if (secret !== undefined && user === undefined)
      throw new ServerUrlError(FORM, "a user needs a password: USER:PASSWORD@");
    const tls = await readTlsFiles(url, FORM);
    if (tls !== undefined) checkFiles(tls, url);
    return { members: hosts, prefix: `/${path || DEFAULT_PREFIX}/`, user, password: secret, tls };
  } catch (error) {
    if (!(error instanceof ServerUrlError)) throw error;
    throw new DiscoveryError("bad_url", error.message, { cause: error });
  }
}

/** @throws ServerUrlError if they are no PEM files, or the certificate and the key do not belong together */
function checkFiles(files: TlsFiles, { options }: ServerUrl): void {
  for (const name of ["ca", "cert", "key"] as const) {
    const pem = files[name];
    if (pem === undefined || pem.includes("-----BEGIN ")) continue;
    throw new ServerUrlError(FORM, `its '${name}' ${options.get(name)} is not a PEM file`);
  }
  try {
    createSecureContext({ ...files });
  } catch (error) {
    const { reason = (error as Error).message } = error as { reason?: string };
    const pair = `its 'cert' ${options.get("cert")} and its 'key' ${options.get("key")}`;
    throw new ServerUrlError(
      FORM,
      /key values mismatch/.test(reason)
        ? `${pair} do not belong together`
        : `its certificates cannot be used: ${reason}`,
    );
  }
}
