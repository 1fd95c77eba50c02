import { LOOP_STATUS } from "../kernel/loops.ts";
import { EngineApiError } from "./errors.ts";
import type { EngineApi } from "./types.ts";

export interface EngineApiOptions {
  /** Milliseconds until a request must have its whole answer. Default 5,000. */
  timeoutMs?: number | undefined;
  /** Bytes that an answer may have. Default 16 MiB: an engine that is broken, or none, may send without end. */
  maxBytes?: number | undefined;
  /** Sent as `authorization: Bearer …`. */
  apiKey?: string | undefined;
  /** Sent as the header `via`, by which a gateway that is asked by itself knows that. */
  via?: string | undefined;
  /** Default: the host's own. */
  fetch?: typeof fetch | undefined;
}

/** A host that is an address and not a name. */
const ADDRESS = /^[\d.]+$|^\[/;

/** Statuses by which an engine says that it has no such route, or that it is turned off. */
const ABSENT = [404, 405, 501];

/**
 * Small requests to the engine at `url`, with or without `/v1` at its end. Redirects are refused: a key must not
 * travel to another address.
 *
 * @example
 * const api = createEngineApi("http://127.0.0.1:8000", { apiKey: "secret" });
 * const version = await api.getJson("/version");
 */
export function createEngineApi(url: string, options: EngineApiOptions = {}): EngineApi {
  const base = url.replace(/\/+$/, "").replace(/\/v1$/, "");
  const request = (path: string, init?: RequestInit) => read(base + path, options, init);
  return {
    url: base,
    async getJson(path) {
      return parse(base + path, await request(path));
    },
    async postJson(path, body) {
      const headers = { "content-type": "application/json" };
      return parse(base + path, await request(path, { method: "POST", headers, body: JSON.stringify(body) }));
    },
    getText: (path) => request(path),
  };
}

/** The body of a 2xx answer as text; undefined where there is no such route. */
async function read(url: string, options: EngineApiOptions, init?: RequestInit): Promise<string | undefined> {
  const { timeoutMs = 5_000, maxBytes = 16 * 2 ** 20, apiKey, via, fetch = globalThis.fetch } = options;
  const headers = new Headers(init?.headers);
  if (via !== undefined) headers.set("via", via);
  // A name may come to stand for another address: what looks at the engine looks where the name leads now.
  if (init?.method === undefined && !ADDRESS.test(new URL(url).hostname)) headers.set("connection", "close");
  if (apiKey !== undefined) headers.set("authorization", `Bearer ${apiKey}`);
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    const response = await fetch(url, { ...init, headers, signal, redirect: "manual" });
    if (response.ok) return await readBody(response, url, maxBytes);
    await response.body?.cancel();
    if (ABSENT.includes(response.status)) return undefined;
    const { status } = response;
    const location = response.headers.get("location");
    if (location !== null)
      throw new EngineApiError(
        "bad_status",
        `${url} sends requests on to ${originOf(location, url)}; that is the address to attach.`,
        { status },
      );
    if (status === LOOP_STATUS)
      throw new EngineApiError(
        "bad_status",
        `${url} is this gateway itself, or leads back to it: attach the engine's own address, or give the gateway another --port.`,
        { status },
      );
    const hint = status === 401 || status === 403 ? keyHint(apiKey) : "";
    throw new EngineApiError("bad_status", `${url} answered with status ${status}${hint}.`, { status });
  } catch (cause) {
    if (cause instanceof EngineApiError) throw cause;
    if (signal.aborted) {
      throw new EngineApiError("timeout", `${url} has not answered within ${timeoutMs} ms.`, { cause });
    }
    throw new EngineApiError("unreachable", `${url} cannot be reached: ${reason(cause, url)}.`, { cause });
  }
}

/** What to do about an engine that lets nobody in, or not this gateway. */
const keyHint = (apiKey: string | undefined) =>
  apiKey === undefined
    ? ": it wants a key, which --engine-key gives (api-key in YAML)"
    : ": it does not take the key that it was given (--engine-key, or api-key in YAML)";

function originOf(location: string, url: string): string {
  return URL.canParse(location, url) ? new URL(location, url).origin : "another address";
}

async function readBody(response: Response, url: string, maxBytes: number): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    // Leaving the loop cancels the rest.
    if (bytes > maxBytes) {
      throw new EngineApiError("too_large", `${url} answered with more than ${maxBytes} bytes.`);
    }
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

function parse(url: string, text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new EngineApiError("not_readable", `${url} did not answer with JSON.`, { cause });
  }
}

/** Undici's word for ports that browsers must not use; https://fetch.spec.whatwg.org/#port-blocking has them. */
const BLOCKED_PORT = "bad port";

/** `fetch` says only that it failed; its cause says why. */
function reason(error: unknown, url: string): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const text = cause instanceof Error ? cause.message || cause.name : String(cause);
  if (text === BLOCKED_PORT) return "its port is one of those that fetch refuses; give the engine another";
  // What Node itself could be started with is of no use to whoever has only its flags.
  return `${text.replace(/; if the root CA is installed locally.*/, "")}${tlsHint(String(Reflect.get(Object(cause), "code") ?? ""), text, url)}`;
}

/** What to do about a connection that TLS does not allow; by Node's and OpenSSL's codes, or the words of others. */
function tlsHint(code: string, text: string, url: string): string {
  if (
    /^(DEPTH_ZERO_)?SELF_SIGNED|^UNABLE_TO_(VERIFY|GET_ISSUER)|UNKNOWN_?ISSUER|unknown issuer/i.test(
      code + text,
    )
  )
    return "; --engine-ca FILE gives the certificate authority that its certificate comes from";
  if (/ALERT_(CERTIFICATE_REQUIRED|BAD_CERTIFICATE|HANDSHAKE_FAILURE|UNKNOWN_CA)/.test(code))
    return "; if it asks for a certificate, --engine-tls-cert and --engine-tls-key give one";
  if (/WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG/.test(code)) return "; it speaks no TLS: try http://";
  if (url.startsWith("http:") && /^(UND_ERR_SOCKET|ECONNRESET$|HPE_)|HTTP\/1\.1 protocol/.test(code + text))
    return "; if it speaks TLS, try https://";
  return "";
}
