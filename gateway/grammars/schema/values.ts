import { isRecord } from "../../kernel/json.ts";
import { accepts } from "../automata/automaton.ts";
import { invalid, type Located, pathTo, type SchemaObject, unsupported } from "./located.ts";
import { isWithin, limitsOf } from "./numbers.ts";
import { stringLimitsOf } from "./strings.ts";
import type { Type } from "./types.ts";

/**
 * The values that `enum` and `const` allow, if any schema has one, without those that other keywords forbid.
 * @throws ApiError 400 if they hold an object or a list on which there are other constraints
 */
export function allowedValues(
  schemas: readonly Located<SchemaObject>[],
  types: ReadonlySet<Type>,
): readonly unknown[] | undefined {
  const lists = schemas.flatMap((located) => listsOf(located));
  if (lists.length === 0) return undefined;
  const [first, ...others] = lists.map((list) => new Map(list.map((value) => [canonical(value), value])));
  return [...first!]
    .filter(([key]) => others.every((other) => other.has(key)))
    .map(([, value]) => value)
    .filter((value) => types.has(typeOf(value)) && holds(value, schemas));
}

function listsOf({ schema, path }: Located<SchemaObject>): (readonly unknown[])[] {
  const { enum: values, const: value } = schema;
  if (values !== undefined && !Array.isArray(values)) throw invalid(pathTo(path, "enum"), "a list");
  for (const [index, each] of (values ?? []).entries()) refuseRounded(each, pathTo(path, "enum", index));
  if (value !== undefined) refuseRounded(value, pathTo(path, "const"));
  return [...(values === undefined ? [] : [values]), ...(Object.hasOwn(schema, "const") ? [[value]] : [])];
}

/** Refuses integers that may have been rounded when the request was parsed, wherever they are in a value. */
function refuseRounded(value: unknown, path: string): void {
  if (Number.isInteger(value) && !Number.isSafeInteger(value))
    throw unsupported(path, "JSON parsers round integers beyond 2^53. Use a string with a pattern.");
  if (Array.isArray(value))
    for (const [index, each] of value.entries()) refuseRounded(each, pathTo(path, index));
  else if (isRecord(value))
    for (const [key, each] of Object.entries(value)) refuseRounded(each, pathTo(path, key));
}

function typeOf(value: unknown): Type {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value === "string" ? "string" : typeof value === "boolean" ? "boolean" : "object";
}

/** Keywords for objects and lists. Comparing values with them would take a whole validator. */
const DEEP = [
  ...["properties", "required", "additionalProperties", "patternProperties", "propertyNames"],
  ...["minProperties", "maxProperties", "items", "prefixItems", "minItems", "maxItems"],
];

function holds(value: unknown, schemas: readonly Located<SchemaObject>[]): boolean {
  if (typeof value === "number") return isWithin(value, limitsOf(schemas, Number.isInteger(value)));
  if (typeof value === "string") {
    const { least, most, automata } = stringLimitsOf(schemas);
    const length = Array.from(value).length;
    return least <= length && length <= most && automata.every((automaton) => accepts(automaton, value));
  }
  if (typeof value !== "object" || value === null) return true;
  const schema = schemas.find((each) => DEEP.some((keyword) => each.schema[keyword] !== undefined));
  if (schema === undefined) return true;
  const keyword = DEEP.find((each) => schema.schema[each] !== undefined)!;
  throw unsupported(
    pathTo(schema.path, keyword),
    "here it applies to the objects or lists of an enum or const. Leave it out.",
  );
}

/** The same text for equal values, whatever the order of their keys. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const members = Object.entries(value).map(([key, each]) => `${JSON.stringify(key)}:${canonical(each)}`);
  return `{${members.sort().join()}}`;
}
