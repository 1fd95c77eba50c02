import { isRecord } from "../../kernel/json.ts";
import { refuseUnsupported, schemasOf, textOf } from "./keywords.ts";
import { type Conjunction, invalid, type Located, locate, pathTo, type SchemaObject } from "./located.ts";
import { refuseMisspelt } from "./misspelt.ts";

/** Schemas of which one must hold. */
export interface Union {
  readonly path: string;
  readonly members: readonly Located[];
  /** Whether exactly one must hold: `oneOf`. */
  readonly isExclusive: boolean;
}

/** What must hold for a value, with all references followed. */
export interface Facts {
  /** Whether nothing can satisfy it. */
  readonly isImpossible: boolean;
  readonly schemas: readonly Located<SchemaObject>[];
  readonly unions: readonly Union[];
}

/**
 * Follows `$ref` and `allOf`. A schema that leads back to itself counts once.
 * @throws ApiError 400 for keywords that cannot be honoured, and for references that lead nowhere
 */
export function factsOf(conjunction: Conjunction, root: Located): Facts {
  const schemas: Located<SchemaObject>[] = [];
  const unions: Union[] = [];
  const seen = new Set<SchemaObject>();
  const open = [...conjunction];
  let isImpossible = false;
  for (const located of open) {
    const { schema } = located;
    if (schema === false) isImpossible = true;
    if (typeof schema === "boolean" || seen.has(schema)) continue;
    seen.add(schema);
    const fact = { ...located, schema };
    refuseUnsupported(fact);
    refuseMisspelt(fact);
    schemas.push(fact);
    const reference = textOf(fact, "$ref");
    if (reference !== undefined) open.push(follow(reference, fact, root));
    open.push(...(schemasOf(fact, "allOf") ?? []));
    if (!located.isBare) unions.push(...unionsOf(fact));
  }
  return { isImpossible, schemas, unions };
}

function unionsOf(fact: Located<SchemaObject>): Union[] {
  return (["anyOf", "oneOf"] as const).flatMap((keyword) => {
    const members = schemasOf(fact, keyword);
    if (members === undefined) return [];
    return [
      { path: pathTo(fact.path, keyword), members, isExclusive: keyword === "oneOf" && !fact.isObserver },
    ];
  });
}

/** The schema to which a reference leads: a JSON pointer into the whole schema. */
function follow(reference: string, { path, isObserver }: Located, root: Located): Located {
  const where = pathTo(path, "$ref");
  const pointer = /^#((?:\/[^/]*)*)$/.exec(reference)?.[1];
  if (pointer === undefined)
    throw invalid(where, `a reference within the schema, such as '#/$defs/name', not '${reference}'`);
  let [target, targetPath]: [unknown, string] = [root.schema, root.path];
  for (const part of pointer.split("/").slice(1)) {
    const key = decode(part).replaceAll("~1", "/").replaceAll("~0", "~");
    const isKnown = (isRecord(target) || Array.isArray(target)) && Object.hasOwn(target, key);
    if (!isKnown) throw invalid(where, `a reference to a part of the schema: '${reference}' is not one`);
    targetPath = pathTo(targetPath, Array.isArray(target) ? Number(key) : key);
    target = Reflect.get(Object(target), key);
  }
  return locate(target, targetPath, isObserver);
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
