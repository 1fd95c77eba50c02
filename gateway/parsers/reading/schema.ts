import { isRecord } from "../../kernel/json.ts";
import type { Tools } from "../types.ts";

/** A type of JSON values. */
export type JsonType = "string" | "number" | "boolean" | "null" | "object" | "array";

const ALL: ReadonlySet<JsonType> = new Set(["string", "number", "boolean", "null", "object", "array"]);

/** More levels of references and alternatives than anybody writes: schemas may refer to themselves. */
const MOST_LEVELS = 8;

/** The types that a function's JSON Schema allows for one of its arguments: all, if it does not say. */
export function argumentTypes(tools: Tools, name: string, argument: string): ReadonlySet<JsonType> {
  const root = tools.get(name)?.parameters;
  const schema = member(member(root, "properties"), argument);
  const found = new Set(schema === undefined ? ALL : typesOf(schema, root, MOST_LEVELS));
  return found.size === 0 ? ALL : found;
}

/** The arguments that a function's JSON Schema names. */
export function argumentNames(tools: Tools, name: string): string[] {
  const properties = member(tools.get(name)?.parameters, "properties");
  return isRecord(properties) ? Object.keys(properties) : [];
}

/** @returns none if the schema does not say */
function typesOf(schema: unknown, root: unknown, levels: number): JsonType[] {
  if (!isRecord(schema) || levels === 0) return [];
  const { type, enum: values, const: value, anyOf, oneOf, $ref: reference } = schema;
  const names = Array.isArray(type) ? type : [type];
  const found = names.flatMap((each) => named(each));
  if (found.length === 0) {
    const alternatives = Array.isArray(anyOf) ? anyOf : Array.isArray(oneOf) ? oneOf : [];
    const parts = alternatives.map((each) => typesOf(each, root, levels - 1));
    // One alternative that does not say allows everything.
    if (parts.some((each) => each.length === 0)) return [];
    found.push(...parts.flat());
  }
  if (found.length === 0 && Array.isArray(values)) found.push(...values.map(typeOf));
  if (found.length === 0 && value !== undefined) found.push(typeOf(value));
  if (found.length === 0 && typeof reference === "string")
    found.push(...typesOf(referred(root, reference), root, levels - 1));
  if (found.length > 0 && schema.nullable === true) found.push("null");
  return found;
}

function named(type: unknown): JsonType[] {
  if (type === "integer") return ["number"];
  return [...ALL].filter((each) => each === type);
}

/** The type of a JSON value. */
export function typeOf(value: unknown): JsonType {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  const type = typeof value;
  return type === "string" || type === "number" || type === "boolean" ? type : "object";
}

/** What a reference such as `#/$defs/City` refers to. */
function referred(root: unknown, reference: string): unknown {
  if (!reference.startsWith("#/")) return undefined;
  const keys = reference.slice(2).split("/");
  return keys.reduce((at, key) => member(at, key.replaceAll("~1", "/").replaceAll("~0", "~")), root);
}

function member(value: unknown, key: string): unknown {
  return isRecord(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}
