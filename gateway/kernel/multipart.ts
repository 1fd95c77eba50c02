import { ApiError } from "./errors.ts";

/** Byte offsets; `to` is exclusive. */
export type Range = readonly [from: number, to: number];

/** A part of a `multipart/form-data` body: where its content is, and what its head says. */
export interface Part {
  /** The field's name. */
  readonly name: string;
  /** Set for a file, also if it is empty. */
  readonly filename: string | undefined;
  readonly range: Range;
}

/** A file in a form. */
export interface FormFile {
  readonly filename: string;
  /** A view of the request's body. */
  readonly bytes: Uint8Array;
}

export const isFormFile = (value: unknown): value is FormFile =>
  typeof value === "object" &&
  value !== null &&
  "filename" in value &&
  "bytes" in value &&
  value.bytes instanceof Uint8Array;

/** A form's fields by name. */
export type Form = Readonly<Record<string, unknown>>;

/**
 * Reads a form as clients in the style of OpenAI's write it: `name[]` adds to a list, `name[key]` to an object, and of a
 * field that is given several times the last one counts. A file becomes a `FormFile`.
 * @param type the header `content-type`, which names the boundary
 * @returns undefined if the header is not that of a form
 */
export function readForm(body: Uint8Array, type: string): Form | undefined {
  const parts = partsOf(body, type);
  if (parts === undefined) return undefined;
  const fields = new Map<string, unknown>();
  for (const { name, filename, range } of parts) {
    const bytes = body.subarray(...range);
    const value = filename === undefined ? new TextDecoder().decode(bytes) : { filename, bytes };
    const [, stem = name, key] = /^([^[\]]+)\[([^[\]]*)\]$/.exec(name) ?? [];
    const before = fields.get(stem);
    if (key === undefined) fields.set(stem, value);
    else if (key === "") fields.set(stem, [...(Array.isArray(before) ? before : []), value]);
    else fields.set(stem, { ...(isPlain(before) ? before : {}), [key]: value });
  }
  return Object.fromEntries(fields);
}

const isPlain = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !isFormFile(value);

/**
 * The parts of a form, in order. A part that is cut off is left out.
 * @param type the header `content-type`, which names the boundary
 * @returns undefined if the header is not that of a form
 */
export function partsOf(body: Uint8Array, type: string): Part[] | undefined {
  const boundary = boundaryOf(type);
  return boundary === undefined ? undefined : [...readParts(body, boundary)];
}

/** @param type the header `content-type` */
export const isFormType = (type: string): boolean => /^\s*multipart\/form-data\s*(;|$)/i.test(type);

/** The error for a body of another content type, where only a form will do. */
export const notAForm = (type: string): ApiError =>
  new ApiError(
    415,
    "invalid_request_error",
    `The request's content-type must be 'multipart/form-data', but is ${type === "" ? "missing" : `'${type.slice(0, 100)}'`}.`,
    { code: "unsupported_content_type" },
  );

function boundaryOf(type: string): string | undefined {
  if (!isFormType(type)) return undefined;
  return parametersOf(type.slice(type.indexOf(";"))).get("boundary");
}

const [CR, LF, DASH] = [0x0d, 0x0a, 0x2d];
/** Longest header block of a part, in bytes. */
const LONGEST_HEAD = 16 * 1024;

/** https://www.rfc-editor.org/rfc/rfc2046#section-5.1.1 */
function* readParts(body: Uint8Array, boundary: string): Generator<Part> {
  const encoder = new TextEncoder();
  const delimiter = encoder.encode(`\r\n--${boundary}`);
  const headEnd = encoder.encode("\r\n\r\n");
  // The first delimiter needs no line break before it.
  let at = isAt(body, 0, delimiter.subarray(2)) ? -2 : find(body, delimiter, 0);
  while (at !== undefined) {
    const start = at + delimiter.length;
    if (body[start] === DASH && body[start + 1] === DASH) return;
    const next = find(body, delimiter, start);
    if (next === undefined) return;
    const head = find(body.subarray(0, Math.min(next, start + LONGEST_HEAD)), headEnd, start);
    if (head !== undefined) {
      const given = dispositionOf(new TextDecoder().decode(body.subarray(start, head)));
      const name = given.get("name");
      if (name !== undefined)
        yield { name, filename: given.get("filename"), range: [head + headEnd.length, next] };
    }
    at = next;
  }
}

/** The offset of `wanted`, which starts with CRLF; checking that first keeps the search linear. */
function find(body: Uint8Array, wanted: Uint8Array, from: number): number | undefined {
  for (let at = body.indexOf(CR, from); at >= 0; at = body.indexOf(CR, at + 1)) {
    if (body[at + 1] === LF && isAt(body, at, wanted)) return at;
  }
  return undefined;
}

function isAt(body: Uint8Array, at: number, wanted: Uint8Array): boolean {
  return wanted.every((byte, index) => body[at + index] === byte);
}

/** The parameters of a part's `content-disposition: form-data`. */
function dispositionOf(head: string): Map<string, string> {
  const [, parameters = ""] = /^content-disposition[ \t]*:[ \t]*form-data(.*)$/im.exec(head) ?? [];
  return parametersOf(parameters);
}

const PARAMETER = /\s*;\s*([^=;\s]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s"]*))/gy;

/** Parses parameters in order, so that quoted text is not taken for a parameter. */
function parametersOf(text: string): Map<string, string> {
  return new Map(
    Array.from(text.matchAll(PARAMETER), ([, name, quoted, plain]) => [
      name!.toLowerCase(),
      quoted === undefined ? plain! : quoted.replace(/\\(.)/g, "$1"),
    ]),
  );
}
