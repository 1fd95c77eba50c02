import { isIP } from "node:net";
import { connect } from "node:tls";
import type { TlsFiles } from "../../server-url.ts";

/** Why a connection cannot be established. */
export interface ConnectionFailure {
  readonly message: string;
  /** Whether TLS or a certificate is the cause, so that retrying is useless. */
  readonly isPermanent: boolean;
}

const CONNECT_MS = 2_000;
/** What an HTTP/2 client sends first (RFC 9113, section 3.4): a text, and an empty SETTINGS frame. */
const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", "latin1");

/**
 * Finds out by a separate TLS connection why connections to a member fail, because gRPC does not report it.
 * @param tls undefined for plain connections, which fail if the member speaks TLS
 * @returns undefined if TLS is not the cause
 */
export function connectionFailure(
  member: string,
  tls: TlsFiles | undefined,
): Promise<ConnectionFailure | undefined> {
  const colon = member.lastIndexOf(":");
  const host = member.slice(0, colon).replaceAll(/[[\]]/g, "");
  const name = isIP(host) === 0 ? { servername: host } : {};
  const isPlain = tls === undefined;
  return new Promise((resolve) => {
    const port = Number(member.slice(colon + 1));
    const socket = connect({
      ...{ host, port, ...name, ...tls },
      ALPNProtocols: ["h2"],
      // Only whether the server speaks TLS is of interest.
      rejectUnauthorized: !isPlain,
    });
    const end = (failure: ConnectionFailure | undefined) => {
      socket.destroy();
      resolve(failure);
    };
    socket.setTimeout(CONNECT_MS, () =>
      end(isPlain ? undefined : { message: "the connection timed out", isPermanent: false }),
    );
    let isSecure = false;
    socket.once("error", (error: TlsError) =>
      end(isPlain ? plainFailure(error) : failureOf(error, tls, isSecure)),
    );
    socket.once("secureConnect", () => {
      isSecure = true;
      if (isPlain) end(NEEDS_TLS);
      // TLS 1.3 servers verify certificates after the handshake: then an error comes, else an answer.
      else socket.once("data", () => end(undefined)).write(PREFACE);
    });
  });
}

/** An error of Node's TLS: system errors have an `errno`, OpenSSL's have a `reason`. */
type TlsError = NodeJS.ErrnoException & { readonly reason?: string };

const NEEDS_TLS: ConnectionFailure = {
  message:
    "the server requires TLS: add ?ca=FILE with its certificate authority to the URL, or ?tls to trust the system's",
  isPermanent: true,
};

function plainFailure(error: TlsError): ConnectionFailure | undefined {
  // A server that answers with an alert speaks TLS too.
  if (isAlert(error)) return NEEDS_TLS;
  const { errno, syscall, message } = error;
  return errno !== undefined && syscall === "connect" ? { message, isPermanent: false } : undefined;
}

/** @param isSecure whether the handshake had succeeded */
function failureOf(error: TlsError, { cert }: TlsFiles, isSecure: boolean): ConnectionFailure {
  const { code, errno, reason, message } = error;
  const isPlainServer = isPlainAnswer(error) || (!isSecure && isHangUp(error));
  if (errno !== undefined && !isPlainServer) return { message, isPermanent: false };
  return { message: tlsReason(), isPermanent: true };

  function tlsReason(): string {
    if (isPlainServer)
      return "the server does not speak TLS at this port: remove 'tls', 'ca', 'cert' and 'key' from the URL";
    if (code === "ERR_TLS_CERT_ALTNAME_INVALID") return message;
    if (reason === undefined) {
      // Node's advice is about the system's authorities.
      const why = message.replace(/; if the root CA is installed locally.*/s, "");
      return `the server's certificate is not accepted (${why}): name its certificate authority with 'ca' in the URL`;
    }
    const isAboutCertificate = isAlert(error) && /certificate|unknown ca/.test(reason);
    if (isAboutCertificate && cert === undefined)
      return "the server requires a client certificate: add ?cert=FILE&key=FILE to the URL";
    if (isAboutCertificate)
      return `the server does not accept the URL's client certificate 'cert' (${reason})`;
    return `the TLS handshake failed: ${reason}`;
  }
}

const isAlert = ({ code = "" }: TlsError) => /^ERR_SSL_.*ALERT/.test(code);

const isPlainAnswer = ({ code }: TlsError) =>
  code === "ERR_SSL_WRONG_VERSION_NUMBER" || code === "ERR_SSL_PACKET_LENGTH_TOO_LONG";

/** etcd without TLS closes the connection, of which Node learns by an end or by a reset. */
const isHangUp = ({ code, syscall }: TlsError) => code === "ECONNRESET" && syscall !== "connect";
