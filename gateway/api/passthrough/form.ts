/** Byte offsets; `to` is exclusive. */
export type Range = readonly [from: number, to: number];

/** The model named in a `multipart/form-data` body. */
export interface ModelInForm {
  readonly name: string;
  /** Where the name is in the body. */
  readonly range: Range;
}

/**
 * The field `model` of a form; if there are several, the last one, as engines do.
 * @param type the header `content-type`, which names the boundary
 */
export function modelInForm(body: Uint8Array, type: string): ModelInForm | undefined {
  const boundary = boundaryOf(type);
  if (boundary === undefined) return undefined;
  let range: Range | undefined;
  for (const { head, from, to } of partsOf(body, boundary)) {
    if (isField(head, "model")) range = [from, to];
  }
  return range && { name: new TextDecoder().decode(body.subarray(...range)), range };
}

function boundaryOf(type: string): string | undefined {
  if (!/^\s*multipart\/form-data\s*;/i.test(type)) return undefined;
  return parametersOf(type.slice(type.indexOf(";"))).get("boundary");
}

interface Part {
  readonly head: string;
  readonly from: number;
  readonly to: number;
}

const [CR, LF, DASH] = [0x0d, 0x0a, 0x2d];
/** Longest header block of a part, in bytes. */
const LONGEST_HEAD = 16 * 1024;

/** https://www.rfc-editor.org/rfc/rfc2046#section-5.1.1 */
function* partsOf(body: Uint8Array, boundary: string): Generator<Part> {
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
      const text = new TextDecoder().decode(body.subarray(start, head));
      yield { head: text, from: head + headEnd.length, to: next };
    }
    at = next;
  }
}

/** The offset of `wanted`, which starts with CRLF; checking that first keeps the search linear. */
function find(body: Uint8Array, wanted: Uint8Array, from: number): number | undefined {
  for (let at = from; at < body.length; at++) {
    if (body[at] === CR && body[at + 1] === LF && isAt(body, at, wanted)) return at;
  }
  return undefined;
}

function isAt(body: Uint8Array, at: number, wanted: Uint8Array): boolean {
  return wanted.every((byte, index) => body[at + index] === byte);
}

/** Whether a part is a field of this name rather than a file. */
function isField(head: string, name: string): boolean {
  const [, parameters = ""] = /^content-disposition[ \t]*:[ \t]*form-data(.*)$/im.exec(head) ?? [];
  const given = parametersOf(parameters);
  return given.get("name") === name && !given.has("filename");
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
