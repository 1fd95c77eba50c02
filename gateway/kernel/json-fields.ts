/** Edits the fields of a JSON object as bytes, so that every other byte stays as its sender wrote it. */

/** A field: from its key's quote to the end of its value. */
interface Field {
  readonly key: unknown;
  readonly from: number;
  /** Where the value begins, with the blanks before it. */
  readonly valueFrom: number;
  readonly to: number;
}

/**
 * Replaces the value of a field; of several with this name, the last one counts.
 * @param body a valid JSON object
 */
export function withValue(body: Uint8Array, name: string, value: unknown): Uint8Array {
  return withEditedValue(body, name, () => value);
}

/**
 * The same for a value that depends on the one before, which `change` gets as JSON. Without such a field, nothing changes.
 * @param body a valid JSON object
 */
export function withEditedValue(
  body: Uint8Array,
  name: string,
  change: (json: string) => unknown,
): Uint8Array {
  const field = fieldsOf(body).findLast(({ key }) => key === name);
  if (field === undefined) return body;
  const json = decoder.decode(body.subarray(field.valueFrom, field.to));
  return splice(body, field.valueFrom, field.to, JSON.stringify(change(json)));
}

/**
 * Removes all fields with these names, and adds others in front.
 * @param body a valid JSON object
 */
export function withFields(
  body: Uint8Array,
  removed: ReadonlySet<string>,
  added: Readonly<Record<string, unknown>>,
): Uint8Array {
  const fields = fieldsOf(body);
  const kept = fields.filter(({ key }) => typeof key !== "string" || !removed.has(key));
  const text = Object.entries(added)
    .map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`)
    .join(",");
  const open = body.indexOf(OPEN_BRACE);
  // The usual case: one splice.
  if (kept.length === fields.length)
    return splice(body, open + 1, open + 1, kept.length > 0 && text !== "" ? `${text},` : text);
  const parts = [text, ...kept.map(({ from, to }) => decoder.decode(body.subarray(from, to)))];
  const end = body.lastIndexOf(CLOSE_BRACE);
  return splice(body, open + 1, end, parts.filter((part) => part !== "").join(","));
}

/** Replaces the bytes between two offsets. */
export function splice(body: Uint8Array, from: number, to: number, text: string): Uint8Array {
  const replacement = new TextEncoder().encode(text);
  const result = new Uint8Array(from + replacement.length + (body.length - to));
  result.set(body.subarray(0, from));
  result.set(replacement, from);
  result.set(body.subarray(to), from + replacement.length);
  return result;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const [OPEN_BRACKET, CLOSE_BRACKET, OPEN_BRACE, CLOSE_BRACE] = [0x5b, 0x5d, 0x7b, 0x7d];

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The fields of the outermost object, in order. */
function fieldsOf(body: Uint8Array): Field[] {
  const found: Field[] = [];
  let depth = 0;
  let key: unknown;
  let from = -1;
  let valueFrom = -1;
  for (let at = 0; at < body.length; at++) {
    const byte = body[at]!;
    if (byte === QUOTE) {
      const end = stringEnd(body, at);
      // A top-level string that does not follow a colon is a key.
      if (depth === 1 && valueFrom < 0) [key, from] = [keyOf(body, at, end), at];
      at = end - 1;
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++;
    else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      if (depth === 1) endField(at);
      depth--;
    } else if (depth === 1 && byte === COLON) valueFrom = at + 1;
    else if (depth === 1 && byte === COMMA) endField(at);
  }
  return found;

  function endField(to: number): void {
    if (valueFrom >= 0) found.push({ key, from, valueFrom, to });
    valueFrom = -1;
  }
}

/** The offset after the string that starts at `from`. */
function stringEnd(body: Uint8Array, from: number): number {
  let at = from + 1;
  while (at < body.length && body[at] !== QUOTE) at += body[at] === BACKSLASH ? 2 : 1;
  return at + 1;
}

/** Longer keys than any spelling of the names that are looked for are not read. */
const LONGEST_KEY = 256;

const keyOf = (body: Uint8Array, from: number, to: number): unknown =>
  to - from > LONGEST_KEY ? undefined : JSON.parse(decoder.decode(body.subarray(from, to)));
