import { type ApiError, invalidRequest } from "../../kernel/errors.ts";
import { isRecord } from "../../kernel/json.ts";

/** A JSON Schema: an object, or whether anything is allowed. */
export type Schema = boolean | SchemaObject;
export type SchemaObject = Readonly<Record<string, unknown>>;

/** A schema, and where in the request it is. */
export interface Located<Kind extends Schema = Schema> {
  readonly schema: Kind;
  readonly path: string;
  /** Whether its `anyOf` and `oneOf` have been dealt with. */
  readonly isBare: boolean;
  /** Whether it only judges what others allow: its own properties are not offered to the model. */
  readonly isObserver: boolean;
}

/** What must hold together for one value. */
export type Conjunction = readonly Located[];

/** The path of a member: `a.b`, `a[0]` or, if its name is not a plain word, `a["b c"]`. */
export function pathTo(path: string, ...keys: (string | number)[]): string {
  return keys.reduce<string>((before, key) => {
    if (typeof key === "number") return `${before}[${key}]`;
    return /^[\w$-]+$/.test(key) ? `${before}.${key}` : `${before}[${JSON.stringify(key)}]`;
  }, path);
}

/** @throws ApiError 400 if the value is not a schema */
export function locate(value: unknown, path: string, isObserver = false): Located {
  if (typeof value === "boolean" || isRecord(value))
    return { schema: value, path, isBare: false, isObserver };
  throw invalid(path, "a JSON schema: an object, or true or false");
}

export const invalid = (path: string, expected: string): ApiError =>
  invalidRequest(`Invalid value for '${path}': it must be ${expected}.`, path);

/** What a grammar cannot keep to. @param sentence what it is and what to do, without the path */
export const unsupported = (path: string, sentence: string): ApiError =>
  invalidRequest(`'${path}' is not supported: ${sentence}`, path, "unsupported_parameter");
