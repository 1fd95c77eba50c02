import { EngineApiError } from "./errors.ts";

/**
 * The error for a request that got no answer.
 * @param cause what `fetch` threw: its error says nothing, but the error's cause does
 */
export function unreachable(url: string, cause: unknown): EngineApiError {
  const { reason, advice } = causeOf(cause, url);
  const problem = `${url} cannot be reached: ${reason}`;
  return new EngineApiError("unreachable", `${problem}${advice === undefined ? "" : `; ${advice}`}.`, {
    cause,
    problem: `${problem}.`,
    fix: advice && `${advice[0]!.toUpperCase()}${advice.slice(1)}.`,
  });
}

/** undici's error for ports that browsers block; see https://fetch.spec.whatwg.org/#port-blocking. */
const BLOCKED_PORT = "bad port";

function causeOf(error: unknown, url: string): { reason: string; advice: string | undefined } {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const text = cause instanceof Error ? cause.message || cause.name : String(cause);
  if (text === BLOCKED_PORT)
    return { reason: "fetch blocks its port", advice: "run the engine on another port" };
  const code = String(Reflect.get(Object(cause), "code") ?? "");
  // Drops advice about Node's flags, which users of the gateway cannot set.
  const reason = text.replace(/; if the root CA is installed locally.*/, "");
  return { reason, advice: tlsAdvice(code, text, url) };
}

/** What to do about a TLS error, according to Node's and OpenSSL's codes or other runtimes' messages. */
function tlsAdvice(code: string, text: string, url: string): string | undefined {
  if (
    /^(DEPTH_ZERO_)?SELF_SIGNED|^UNABLE_TO_(VERIFY|GET_ISSUER)|UNKNOWN_?ISSUER|unknown issuer/i.test(
      code + text,
    )
  )
    return "pass the certificate authority that issued its certificate with --engine-ca FILE";
  if (/ALERT_(CERTIFICATE_REQUIRED|BAD_CERTIFICATE|HANDSHAKE_FAILURE|UNKNOWN_CA)/.test(code))
    return "if it requires a client certificate, pass one with --engine-tls-cert and --engine-tls-key";
  if (/WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG/.test(code)) return "it does not speak TLS: try http://";
  if (url.startsWith("http:") && /^(UND_ERR_SOCKET|ECONNRESET$|HPE_)|HTTP\/1\.1 protocol/.test(code + text))
    return "if it speaks TLS, try https://";
  return undefined;
}
