import { invalid, type Located, pathTo, type SchemaObject } from "./located.ts";

/** `number` stands for the numbers that are not integers. */
export const TYPES = ["null", "boolean", "integer", "number", "string", "array", "object"] as const;
export type Type = (typeof TYPES)[number];

/** Keywords that only make sense for one type. */
export const MEANT_FOR: Readonly<Record<string, readonly Type[]>> = {
  properties: ["object"],
  required: ["object"],
  additionalProperties: ["object"],
  patternProperties: ["object"],
  propertyNames: ["object"],
  minProperties: ["object"],
  maxProperties: ["object"],
  items: ["array"],
  prefixItems: ["array"],
  minItems: ["array"],
  maxItems: ["array"],
  pattern: ["string"],
  minLength: ["string"],
  maxLength: ["string"],
  minimum: ["integer", "number"],
  maximum: ["integer", "number"],
  exclusiveMinimum: ["integer", "number"],
  exclusiveMaximum: ["integer", "number"],
  multipleOf: ["integer", "number"],
};

/** The types that all schemas allow. */
export function typesOf(schemas: readonly Located<SchemaObject>[]): ReadonlySet<Type> {
  const sets = schemas.map((located) => stated(located) ?? implied(located));
  return new Set(TYPES.filter((type) => sets.every((set) => set?.has(type) ?? true)));
}

function stated({ schema, path }: Located<SchemaObject>): ReadonlySet<Type> | undefined {
  const { type, nullable } = schema;
  if (type === undefined) return undefined;
  const names: unknown[] = Array.isArray(type) ? type : [type];
  const result = new Set<Type>();
  for (const name of names) {
    const known = TYPES.find((each) => each === name);
    if (known === undefined)
      throw invalid(pathTo(path, "type"), `one of ${TYPES.join(", ")}, or a list of them`);
    result.add(known);
    if (known === "number") result.add("integer");
  }
  // As OpenAPI 3.0 says it.
  if (nullable === true) result.add("null");
  return result;
}

/**
 * The types for which a schema without `type` has keywords. It allows any other type too, but nobody who writes
 * `properties` wants a number.
 */
function implied({ schema, isObserver }: Located<SchemaObject>): ReadonlySet<Type> | undefined {
  if (isObserver) return undefined;
  const types = Object.keys(schema).flatMap((keyword) => MEANT_FOR[keyword] ?? []);
  return types.length === 0 ? undefined : new Set(types);
}
