import { isRecord } from "../../kernel/json.ts";
import { invalid, type Located, locate, pathTo, type SchemaObject, unsupported } from "./located.ts";

const REMOVE = "no grammar can keep to it. Leave it out, and check the answer yourself.";

/** Constraints that no grammar of acceptable size can keep to, and what to do instead. */
const UNSUPPORTED: Readonly<Record<string, string>> = {
  not: "no grammar can keep to it. Say what is allowed, for example with enum or anyOf.",
  if: "use anyOf, with one schema for each case.",
  contains: REMOVE,
  minContains: REMOVE,
  maxContains: REMOVE,
  dependencies: "use anyOf, with one schema for each case.",
  dependentRequired: "use anyOf, with one schema for each case.",
  dependentSchemas: "use anyOf, with one schema for each case.",
  disallow: "no grammar can keep to it. Say what is allowed, for example with type or anyOf.",
  divisibleBy: "use multipleOf.",
  extends: "use allOf.",
  unevaluatedProperties: "use additionalProperties.",
  unevaluatedItems: "use items.",
  $dynamicRef: "use $ref.",
  $recursiveRef: "use $ref.",
};

/** @throws ApiError 400 for the first constraint that cannot be kept to */
export function refuseUnsupported({ schema, path }: Located<SchemaObject>): void {
  for (const [keyword, sentence] of Object.entries(UNSUPPORTED))
    if (schema[keyword] !== undefined) throw unsupported(pathTo(path, keyword), sentence);
  if (schema.uniqueItems === true) throw unsupported(pathTo(path, "uniqueItems"), REMOVE);
}

/** A keyword whose value is a count. @throws ApiError 400 if it is something else */
export function countOf({ schema, path }: Located<SchemaObject>, keyword: string): number | undefined {
  const value = schema[keyword];
  if (value === undefined) return undefined;
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw invalid(pathTo(path, keyword), "an integer of at least 0");
}

/** A keyword whose value is a number. @throws ApiError 400 if it is something else */
export function numberOf({ schema, path }: Located<SchemaObject>, keyword: string): number | undefined {
  const value = schema[keyword];
  if (value === undefined || (typeof value === "number" && Number.isFinite(value))) return value;
  throw invalid(pathTo(path, keyword), "a number");
}

/** A keyword whose value is text. @throws ApiError 400 if it is something else */
export function textOf({ schema, path }: Located<SchemaObject>, keyword: string): string | undefined {
  const value = schema[keyword];
  if (value === undefined || typeof value === "string") return value;
  throw invalid(pathTo(path, keyword), "a string");
}

/** A keyword whose value is a list of texts. @throws ApiError 400 if it is something else */
export function textsOf({ schema, path }: Located<SchemaObject>, keyword: string): readonly string[] {
  const value = schema[keyword] ?? [];
  if (Array.isArray(value) && value.every((each): each is string => typeof each === "string")) return value;
  throw invalid(pathTo(path, keyword), "a list of strings");
}

/** A keyword whose value is a schema. @throws ApiError 400 if it is something else */
export function schemaOf(located: Located<SchemaObject>, keyword: string): Located | undefined {
  const value = located.schema[keyword];
  return value === undefined ? undefined : locate(value, pathTo(located.path, keyword), located.isObserver);
}

/** A keyword whose value is a list of schemas. @throws ApiError 400 if it is something else */
export function schemasOf(located: Located<SchemaObject>, keyword: string): readonly Located[] | undefined {
  const value = located.schema[keyword];
  if (value === undefined) return undefined;
  const path = pathTo(located.path, keyword);
  if (!Array.isArray(value)) throw invalid(path, "a list of JSON schemas");
  return value.map((each: unknown, index) => locate(each, pathTo(path, index), located.isObserver));
}

/** A keyword whose value is an object of schemas. @throws ApiError 400 if it is something else */
export function schemaMapOf(located: Located<SchemaObject>, keyword: string): ReadonlyMap<string, Located> {
  const value = located.schema[keyword] ?? {};
  const path = pathTo(located.path, keyword);
  if (!isRecord(value)) throw invalid(path, "an object of JSON schemas");
  return new Map(
    Object.entries(value).map(([key, each]) => [key, locate(each, pathTo(path, key), located.isObserver)]),
  );
}
