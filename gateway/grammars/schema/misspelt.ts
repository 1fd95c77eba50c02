import { nearest } from "#runtime";
import { type Located, pathTo, type SchemaObject, unsupported } from "./located.ts";
import { MEANT_FOR } from "./types.ts";

/** Constraints that a misspelling would silently lift; those of a few letters resemble too much else. */
const CONSTRAINTS = [
  ...Object.keys(MEANT_FOR),
  "$ref",
  "additionalItems",
  "allOf",
  "anyOf",
  "const",
  "contains",
  "dependentRequired",
  "dependentSchemas",
  "enum",
  "format",
  "oneOf",
  "type",
  "unevaluatedItems",
  "unevaluatedProperties",
  "uniqueItems",
];

/** Keywords that resemble constraints, but are others. */
const OTHERS = new Set([...CONSTRAINTS, "maxContains", "minContains", "dependencies", "$defs", "deprecated"]);

/** Of each letter, one in four may be wrong. */
const SHARE = 1 / 4;

/**
 * Refuses keywords that are probably meant to be constraints. Other unknown keywords are annotations, which say nothing
 * of the value: JSON Schema 2020-12, section 4.3.1.
 * @throws ApiError 400
 */
export function refuseMisspelt({ schema, path }: Located<SchemaObject>): void {
  for (const keyword of Object.keys(schema)) {
    if (OTHERS.has(keyword) || keyword.startsWith("x-")) continue;
    const meant = nearest(keyword, CONSTRAINTS, SHARE);
    if (meant !== undefined)
      throw unsupported(
        pathTo(path, keyword),
        `JSON Schema has no such keyword. Did you mean '${meant}'? Leave it out if not.`,
      );
  }
}
