/** `JSON` with the proposal "JSON.parse source text access"; in runtimes without it, the members are missing. */
interface SourceJson {
  parse(
    text: string,
    reviver: (key: string, value: unknown, context?: { source?: string }) => unknown,
  ): unknown;
  rawJSON?(text: string): object;
  isRawJSON?(value: unknown): value is { readonly rawJSON: string };
}
const json = JSON as SourceJson;

/** Numbers that JavaScript may write in another way: long ones, and those with a fraction, an exponent or a minus zero. */
const UNUSUAL = /\d{16}|\d[.eE]|-0/;

/**
 * Parses JSON. Numbers that JavaScript would write in another way, such as integers beyond 2^53, become objects from which
 * `JSON.stringify` makes what they were.
 * @throws SyntaxError for invalid JSON
 */
export function parseExactly(text: string): unknown {
  const { rawJSON } = json;
  if (rawJSON === undefined || !UNUSUAL.test(text)) return JSON.parse(text);
  return json.parse(text, (_, value, context) => {
    if (typeof value !== "number" || context?.source === undefined) return value;
    return context.source === String(value) ? value : rawJSON(context.source);
  });
}

/** Whether a value from `parseExactly` is an integer, of any size. */
export function isInteger(value: unknown): boolean {
  if (typeof value === "number") return Number.isInteger(value);
  return json.isRawJSON?.(value) === true && /^-?\d+$/.test(value.rawJSON);
}
