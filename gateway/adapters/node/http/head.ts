import { isHopByHop } from "../../../wire/hop-by-hop.ts";
import { HttpError, type HttpHead, type HttpHeader, isEventStreamType } from "../../../wire/types.ts";

/** How the body that follows a head is delimited. */
export type Framing = "none" | "chunked" | "length" | "close";

export interface ParsedHead {
  readonly head: HttpHead;
  readonly framing: Framing;
  /** The content-length in bytes; 0 if there is none. */
  readonly length: number;
  /** Milliseconds that the connection may stay idle afterwards; 0 if the server closes it. */
  readonly keepAliveMs: number;
}

/** Idle time if the server announces none; uvicorn's 5 s is the shortest known. */
const DEFAULT_KEEP_ALIVE_MS = 4_000;

/** Codings that leave the data unchanged. */
const IDENTITY = ["identity", ""];

/**
 * Reads the head of an HTTP/1 answer (RFC 9112, sections 4 to 6).
 * @param text in Latin-1, without the empty line at the end
 * @returns undefined for an interim response (1xx), which is followed by another one
 * @throws HttpError `garbage` if it is not valid
 */
export function parseHead(text: string, method: string): ParsedHead | undefined {
  // A line that starts with whitespace continues the previous one (RFC 9112, section 5.2).
  const lines = text.replace(/\r?\n[ \t]+/g, " ").split(/\r?\n/);
  const status = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: |$)/.exec(lines[0]!);
  if (status === null) throw new HttpError("garbage", "The engine's answer is not HTTP/1.1.");
  const code = Number(status[2]);
  if (code < 200) {
    if (code === 101) throw new HttpError("garbage", "The engine switched to another protocol.");
    return undefined;
  }
  const all = lines.slice(1).map(parseLine);
  const header = (name: string) => {
    const values = all.filter(([each]) => each === name).map(([, value]) => value);
    return values.length === 0 ? undefined : values.join(", ");
  };
  const dropped = new Set(tokensOf(header("connection")));
  const headers = all.filter(([name]) => !isHopByHop(name) && !dropped.has(name));
  const codings = tokensOf(header("transfer-encoding")).filter((coding) => !IDENTITY.includes(coding));
  const contentLength = codings.length === 0 ? readLength(all) : undefined;
  const framing = framingOf(code, method, codings, contentLength);
  const closes = dropped.has("close") || (status[1] === "0" && !dropped.has("keep-alive"));
  const isEncoded = tokensOf(header("content-encoding")).some((coding) => !IDENTITY.includes(coding));
  const isEventStream = !isEncoded && isEventStreamType(header("content-type"));
  return {
    head: {
      status: code,
      headers: headers.filter(([name]) => name !== "content-length"),
      // The length of a stream is unknown, because another engine may have to continue it.
      contentLength: isEventStream ? undefined : contentLength,
      hasBody: framing !== "none",
      isEventStream,
      isEncoded,
    },
    framing,
    length: contentLength ?? 0,
    keepAliveMs: closes || framing === "close" ? 0 : readKeepAlive(header("keep-alive")),
  };
}

function parseLine(line: string): HttpHeader {
  const colon = line.indexOf(":");
  // Whitespace before the colon is invalid and must be removed (RFC 9112, section 5.1).
  const name = line.slice(0, Math.max(0, colon)).trimEnd();
  if (colon <= 0 || !/^[!#$%&'*+\-.^_`|~\w]+$/.test(name))
    throw new HttpError("garbage", "The engine's answer has an invalid header line.");
  return [name.toLowerCase(), line.slice(colon + 1).trim()];
}

const tokensOf = (value: string | undefined): string[] =>
  value === undefined ? [] : value.split(",").map((token) => token.trim().toLowerCase());

function readLength(headers: readonly HttpHeader[]): number | undefined {
  const given = headers.filter(([name]) => name === "content-length").flatMap(([, value]) => tokensOf(value));
  const values = new Set(given);
  const [value] = values;
  if (value === undefined) return undefined;
  if (values.size > 1 || !/^\d{1,15}$/.test(value))
    throw new HttpError("garbage", "The engine's answer has an invalid content-length.");
  return Number(value);
}

function framingOf(status: number, method: string, codings: string[], length: number | undefined): Framing {
  if (method === "HEAD" || status === 204 || status === 304) return "none";
  if (codings.length > 0) {
    if (codings.length === 1 && codings[0] === "chunked") return "chunked";
    throw new HttpError("garbage", "The engine's answer has an unknown transfer coding.");
  }
  if (length === undefined) return "close";
  return length === 0 ? "none" : "length";
}

function readKeepAlive(value: string | undefined): number {
  const seconds = /\btimeout=(\d{1,6})\b/.exec(value ?? "")?.[1];
  // A second earlier than the server, so that no request is sent as the server closes the connection.
  return seconds === undefined ? DEFAULT_KEEP_ALIVE_MS : Math.max(0, Number(seconds) - 1) * 1000;
}
