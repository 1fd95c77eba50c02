import { isIP } from "node:net";
import { connect } from "node:tls";
import type { TlsFiles } from "../../server-url.ts";

/** Why no TLS connection comes about. */
export interface TlsReason {
  /** For people. */
  readonly message: string;
  /** Whether it is for want of the right certificate: trying again does not help. */
  readonly isFinal: boolean;
}

/** TLS 1.3 servers judge a client's certificate after the handshake, in milliseconds. */
const JUDGEMENT_MS = 200;
const CONNECT_MS = 2_000;

/**
 * Why a TLS connection to the member fails, tried with a connection of its own, since gRPC does not say.
 * @returns undefined where it does not fail
 */
export function tlsReason(member: string, { ca, cert, key }: TlsFiles): Promise<TlsReason | undefined> {
  const colon = member.lastIndexOf(":");
  const host = member.slice(0, colon).replaceAll(/[[\]]/g, "");
  const name = isIP(host) === 0 ? { servername: host } : {};
  return new Promise((resolve) => {
    const port = Number(member.slice(colon + 1));
    const socket = connect({ host, port, ...name, ca, cert, key, ALPNProtocols: ["h2"] });
    const end = (reason: TlsReason | undefined) => {
      socket.destroy();
      resolve(reason);
    };
    socket.setTimeout(CONNECT_MS, () => end({ message: "the connection timed out", isFinal: false }));
    socket.once("error", (error: NodeJS.ErrnoException) => {
      // System errors have codes such as ECONNREFUSED.
      end({ message: error.message, isFinal: error.errno === undefined });
    });
    socket.once("secureConnect", () => setTimeout(() => end(undefined), JUDGEMENT_MS));
  });
}
