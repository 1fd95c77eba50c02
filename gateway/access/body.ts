import { joinBytes } from "../kernel/bytes.ts";
import { ApiError, invalidRequest } from "../kernel/errors.ts";
import type { ByteTools } from "../media/byte-tools.ts";
import { type LightBody, withoutMedia } from "../media/excise.ts";

/** A request's JSON body, raw and parsed. */
export interface JsonBody {
  readonly bytes: Uint8Array;
  readonly json: unknown;
}

/** The same, without its media. */
export interface LightJsonBody extends LightBody {
  readonly json: unknown;
}

/**
 * Reads a request's JSON body, and never holds more than `limit` bytes of it.
 * @param mayBeEmpty whether an empty body is allowed, also without a content type; its JSON is undefined
 * @throws ApiError 415 for another content type, 413 past the limit, 400 for invalid JSON or one nested too deeply
 */
export async function readJsonBody(request: Request, limit: number, mayBeEmpty = false): Promise<JsonBody> {
  const bytes = await readJsonBytes(request, limit, mayBeEmpty);
  return { bytes, json: mayBeEmpty && bytes.length === 0 ? undefined : parseJson(bytes) };
}

/** The same for a request that may have media, which are taken out before its body is parsed. @throws as `readJsonBody` */
export async function readLightBody(
  request: Request,
  limit: number,
  tools: ByteTools,
  mayBeEmpty = false,
): Promise<LightJsonBody> {
  const bytes = await readJsonBytes(request, limit, mayBeEmpty);
  const light = withoutMedia(bytes, tools);
  return { ...light, json: mayBeEmpty && bytes.length === 0 ? undefined : parseJson(light.bytes) };
}

/** @throws ApiError 400 for invalid JSON, or for JSON that is nested too deeply */
export function parseJson(bytes: Uint8Array): unknown {
  const json = parse(decoder.decode(bytes));
  // Each level takes at least two bytes.
  if (bytes.length > 2 * MOST_LEVELS && isDeeper([json], MOST_LEVELS + 1)) throw tooDeep();
  return json;
}

async function readJsonBytes(request: Request, limit: number, mayBeEmpty: boolean): Promise<Uint8Array> {
  const type = request.headers.get("content-type") ?? "";
  const mediaType = type.split(";", 1).join().trim().toLowerCase();
  if (mayBeEmpty && mediaType === "") {
    const bytes = await readBytes(request, limit);
    if (bytes.length === 0) return bytes;
  }
  if (mediaType !== "application/json") {
    const found = mediaType ? `'${mediaType}'` : "missing";
    throw new ApiError(
      415,
      "invalid_request_error",
      `The request's content-type must be 'application/json', but is ${found}.`,
      { code: "unsupported_content_type" },
    );
  }
  const encoding = request.headers.get("content-encoding");
  if (encoding !== null && encoding !== "identity") {
    throw new ApiError(
      415,
      "invalid_request_error",
      `The request body must not be compressed; its content-encoding is '${encoding.slice(0, 40)}'.`,
      { code: "unsupported_content_encoding" },
    );
  }
  return readBytes(request, limit);
}

/** How deeply a body may be nested; what reads it further calls itself for each level, and so does zod. */
const MOST_LEVELS = 500;

/** Whether objects and lists are nested more than `levels` deep. It is called only for those, so long lists are cheap. */
function isDeeper(value: object, levels: number): boolean {
  if (levels === 0) return true;
  const values: readonly unknown[] = Array.isArray(value) ? value : Object.values(value);
  for (const inner of values)
    if (typeof inner === "object" && inner !== null && isDeeper(inner, levels - 1)) return true;
  return false;
}

const decoder = new TextDecoder();

/**
 * Reads a request's raw body, and never holds more than `limit` bytes of it.
 * @throws ApiError 413 past the limit, 400 if the body is incomplete
 */
export async function readBytes(request: Request, limit: number): Promise<Uint8Array> {
  try {
    return await readUpTo(limit, request);
  } catch (cause) {
    if (cause instanceof ApiError) throw cause;
    throw new ApiError(400, "invalid_request_error", "The request body ended before it was complete.", {
      code: "incomplete_body",
      cause,
    });
  }
}

async function readUpTo(limit: number, request: Request): Promise<Uint8Array> {
  if (Number(request.headers.get("content-length") ?? 0) > limit) throw tooLarge(limit);
  // The server itself enforces a declared length, which has passed the check above.
  if (request.headers.has("content-length")) return new Uint8Array(await request.arrayBuffer());
  if (request.body === null) return new Uint8Array(0);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body) {
    size += chunk.byteLength;
    if (size > limit) throw tooLarge(limit);
    chunks.push(chunk);
  }
  return joinBytes(chunks);
}

function parse(text: string): unknown {
  if (text.trim() === "")
    throw invalidRequest("The request body is empty; it must be a JSON object.", null, "invalid_json");
  try {
    return JSON.parse(text);
  } catch (error) {
    const detail = error instanceof Error ? position(error.message) : "";
    throw invalidRequest(`The request body is not valid JSON. ${detail}`.trim(), null, "invalid_json");
  }
}

/** V8's message quotes the body, so only the position is passed on. */
function position(message: string): string {
  const place = /at position (\d+)(?: \(line (\d+) column (\d+)\))?/.exec(message);
  if (place?.[2] !== undefined) return `The error is at line ${place[2]}, column ${place[3]}.`;
  if (place?.[1] !== undefined) return `The error is at character ${place[1]}.`;
  return /end of JSON input/.test(message) ? "It ends too early." : "";
}

const tooLarge = (limit: number) =>
  new ApiError(
    413,
    "invalid_request_error",
    `The request body is larger than this server's limit of ${limit} bytes (--body-limit).`,
    { code: "body_too_large" },
  );

const tooDeep = () =>
  invalidRequest(
    `The request body is nested too deeply: at most ${MOST_LEVELS} levels of objects and lists are allowed.`,
    null,
    "invalid_json",
  );
