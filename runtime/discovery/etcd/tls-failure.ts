import { isIP } from "node:net";
import { connect } from "node:tls";
import type { TlsFiles } from "../../server-url.ts";

/** Why a TLS connection cannot be established. */
export interface TlsFailure {
  readonly message: string;
  /** Whether a certificate is the cause, so that retrying is useless. */
  readonly isPermanent: boolean;
}

/** How long to wait for a rejection, in milliseconds: TLS 1.3 servers verify certificates after the handshake. */
const REJECTION_MS = 200;
const CONNECT_MS = 2_000;

/**
 * Finds out by a separate connection why TLS connections to a member fail, because gRPC does not report it.
 * @returns undefined if the connection succeeds
 */
export function tlsFailure(member: string, { ca, cert, key }: TlsFiles): Promise<TlsFailure | undefined> {
  const colon = member.lastIndexOf(":");
  const host = member.slice(0, colon).replaceAll(/[[\]]/g, "");
  const name = isIP(host) === 0 ? { servername: host } : {};
  return new Promise((resolve) => {
    const port = Number(member.slice(colon + 1));
    const socket = connect({ host, port, ...name, ca, cert, key, ALPNProtocols: ["h2"] });
    const end = (failure: TlsFailure | undefined) => {
      socket.destroy();
      resolve(failure);
    };
    socket.setTimeout(CONNECT_MS, () => end({ message: "the connection timed out", isPermanent: false }));
    socket.once("error", (error: NodeJS.ErrnoException) => {
      // System errors have codes such as ECONNREFUSED.
      end({ message: error.message, isPermanent: error.errno === undefined });
    });
    socket.once("secureConnect", () => setTimeout(() => end(undefined), REJECTION_MS));
  });
}
