import { LOOP_STATUS } from "../kernel/loops.ts";
import { ABSENT } from "./absent.ts";
import { EngineApiError } from "./errors.ts";
import type { EngineApi } from "./types.ts";
import { unreachable } from "./unreachable.ts";

export interface EngineApiOptions {
  /** Time within which the whole answer must arrive, in milliseconds. Default 5,000. */
  timeoutMs?: number | undefined;
  /** Largest answer in bytes. Default 16 MiB: a broken engine, or another kind of server, may send endlessly. */
  maxBytes?: number | undefined;
  /** Sent as `authorization: Bearer …`. */
  apiKey?: string | undefined;
  /** Sent as the `via` header, by which a gateway recognizes its own requests. */
  via?: string | undefined;
  /** Default: the host's own. */
  fetch?: typeof fetch | undefined;
}

/** Default of `maxBytes`. */
const MOST_BYTES = 16 * 2 ** 20;

/** Matches a host that is an IP address. */
const ADDRESS = /^[\d.]+$|^\[/;

/**
 * Creates a client for small requests to the engine at `url`, with or without `/v1` at its end. Redirects are errors,
 * because a key must not be sent to another address.
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
    async postJson(path, body, parseJson) {
      const headers = { "content-type": "application/json" };
      const text = await request(path, { method: "POST", headers, body: JSON.stringify(body) });
      return parse(base + path, text, parseJson);
    },
    getText: (path) => request(path),
    postStatus: (path, body) => send("POST", base + path, options, body, statusOf),
    deleteStatus: (path, body) => send("DELETE", base + path, options, body, statusOf),
    postText: (path, body, timeoutMs) =>
      send("POST", base + path, { ...options, timeoutMs }, body, async (response) => ({
        status: response.status,
        text: await readBody(response, base + path, options.maxBytes ?? MOST_BYTES),
      })),
  };
}

async function statusOf({ status, body: unread }: Response): Promise<number> {
  await unread?.cancel();
  return status;
}

/** Sends JSON, and reads the answer whatever its status. */
async function send<Answer>(
  method: string,
  url: string,
  options: EngineApiOptions,
  body: unknown,
  readAnswer: (response: Response) => Promise<Answer>,
): Promise<Answer> {
  const { timeoutMs = 5_000, fetch = globalThis.fetch } = options;
  const headers = headersOf(options, { "content-type": "application/json" });
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    const init = { method, headers, body: JSON.stringify(body), signal };
    return await readAnswer(await fetch(url, { ...init, redirect: "manual" }));
  } catch (cause) {
    if (cause instanceof EngineApiError) throw cause;
    throw unreachable(url, cause);
  }
}

function headersOf({ apiKey, via }: EngineApiOptions, given: RequestInit["headers"]): Headers {
  const headers = new Headers(given);
  if (via !== undefined) headers.set("via", via);
  if (apiKey !== undefined) headers.set("authorization", `Bearer ${apiKey}`);
  return headers;
}

/** The body of a 2xx answer as text; undefined if the route does not exist. */
async function read(url: string, options: EngineApiOptions, init?: RequestInit): Promise<string | undefined> {
  const { timeoutMs = 5_000, maxBytes = MOST_BYTES, apiKey, fetch = globalThis.fetch } = options;
  const headers = headersOf(options, init?.headers);
  // A host name may resolve differently later, so probes and checks use a new connection each time.
  if (init?.method === undefined && !ADDRESS.test(new URL(url).hostname)) headers.set("connection", "close");
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    const response = await fetch(url, { ...init, headers, signal, redirect: "manual" });
    if (response.ok) return await readBody(response, url, maxBytes);
    await response.body?.cancel();
    if (ABSENT.includes(response.status)) return undefined;
    const { status } = response;
    const location = response.headers.get("location");
    if (location !== null) {
      const problem = `${url} redirects to ${originOf(location, url)}`;
      const details = { status, problem: `${problem}.`, fix: "Attach that address instead." };
      throw new EngineApiError("bad_status", `${problem}: attach that address instead.`, details);
    }
    if (status === LOOP_STATUS) {
      const problem = `${url} is this gateway itself, or leads back to it.`;
      const fix = "Attach the engine's own address, or give the gateway another --port.";
      throw new EngineApiError("bad_status", `${problem} ${fix}`, { status, problem, fix });
    }
    const problem = `${url} answered with status ${status}`;
    const { hint, fix } = status === 401 || status === 403 ? keyAdvice(apiKey) : UNKNOWN_STATUS;
    throw new EngineApiError("bad_status", `${problem}${hint}.`, { status, problem: `${problem}.`, fix });
  } catch (cause) {
    if (cause instanceof EngineApiError) throw cause;
    if (signal.aborted) {
      throw new EngineApiError("timeout", `${url} did not answer within ${timeoutMs} ms.`, { cause });
    }
    throw unreachable(url, cause);
  }
}

/** What to do if an engine rejects the key, or the lack of one. */
const keyAdvice = (apiKey: string | undefined) =>
  apiKey === undefined
    ? {
        hint: ": it requires a key; pass it with --engine-key (api-key in YAML)",
        fix: "It requires a key: pass it with --engine-key KEY.",
      }
    : {
        hint: ": it rejects the given key (--engine-key, or api-key in YAML)",
        fix: "It rejects the given key: pass the right one with --engine-key KEY.",
      };

const UNKNOWN_STATUS = {
  hint: "",
  fix: "Check the engine's log, whether it has loaded its model, and that no other server has its address.",
};

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

function parse(url: string, text: string | undefined, parseJson = JSON.parse): unknown {
  if (text === undefined) return undefined;
  try {
    return parseJson(text);
  } catch (cause) {
    throw new EngineApiError("not_readable", `${url} did not answer with JSON.`, { cause });
  }
}
