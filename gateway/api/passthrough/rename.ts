import type { ModelInForm, Range } from "./form.ts";

/**
 * Replaces the value of a JSON object's field `model`, and keeps every other byte.
 * @param body a valid JSON object
 */
export function renameInJson(body: Uint8Array, model: string): Uint8Array {
  const range = modelValue(body);
  return range === undefined ? body : splice(body, range, JSON.stringify(model));
}

/** The same for the field `model` of a form. */
export const renameInForm = (body: Uint8Array, { range }: ModelInForm, model: string): Uint8Array =>
  splice(body, range, model);

/** The same for a path's query. */
export function renameInQuery(search: string, model: string): string {
  const query = new URLSearchParams(search);
  if (!query.has("model")) return search;
  query.set("model", model);
  return `?${query}`;
}

function splice(body: Uint8Array, [from, to]: Range, text: string): Uint8Array {
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

/** Where the value of the top-level field `model` is: of several, the last one counts. */
function modelValue(body: Uint8Array): Range | undefined {
  let found: Range | undefined;
  let depth = 0;
  /** Whether the current top-level key is `model`. */
  let isModel = false;
  let valueFrom = -1;
  for (let at = 0; at < body.length; at++) {
    const byte = body[at]!;
    if (byte === QUOTE) {
      const end = stringEnd(body, at);
      // A top-level string that does not follow a colon is a key.
      if (depth === 1 && valueFrom < 0) isModel = keyOf(body, at, end) === "model";
      at = end - 1;
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++;
    else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      if (depth === 1) endValue(at);
      depth--;
    } else if (depth === 1 && byte === COLON) valueFrom = at + 1;
    else if (depth === 1 && byte === COMMA) endValue(at);
  }
  return found;

  function endValue(to: number): void {
    if (isModel && valueFrom >= 0) found = [valueFrom, to];
    valueFrom = -1;
    isModel = false;
  }
}

/** The offset after the string that starts at `from`. */
function stringEnd(body: Uint8Array, from: number): number {
  let at = from + 1;
  while (at < body.length && body[at] !== QUOTE) at += body[at] === BACKSLASH ? 2 : 1;
  return at + 1;
}

/** Keys longer than any spelling of `model` are not read. */
const LONGEST_KEY = 40;

function keyOf(body: Uint8Array, from: number, to: number): unknown {
  return to - from > LONGEST_KEY ? undefined : JSON.parse(new TextDecoder().decode(body.subarray(from, to)));
}

/** The `model` field of a JSON body. */
export function modelOfJson(json: unknown): string | undefined {
  if (typeof json !== "object" || json === null) return undefined;
  const model: unknown = Reflect.get(json, "model");
  return typeof model === "string" ? model : undefined;
}
