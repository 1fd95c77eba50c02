import { type Item, rule, type Sequence, text } from "../gbnf/rules.ts";
import { countOf } from "./keywords.ts";
import { type Located, pathTo, type SchemaObject, unsupported } from "./located.ts";
import { Members } from "./members.ts";
import type { SchemaRules } from "./schema-rules.ts";

/** The alternatives for an object; none if no object will do. */
export function objectRules(
  compiler: SchemaRules,
  schemas: readonly Located<SchemaObject>[],
  hint: string,
): readonly Sequence[] {
  const members = new Members(compiler, schemas, hint);
  if (members.isImpossible) return [];
  const count = countBounds(schemas, members);
  const { json, rules } = compiler;
  const { declared, extra } = members;

  /** What may follow once `index` declared members have been passed, `used` of which are there; the rest of the object. */
  const rest = (index: number, used: number): Item => {
    const isTracked = count.least > 0 || count.most < Number.POSITIVE_INFINITY;
    const key = `${index} ${used === 0} ${isTracked ? used : ""}`;
    return rule(made.get(key) ?? make(key, index, used));
  };
  const made = new Map<string, string>();
  const make = (key: string, index: number, used: number): string => {
    const name = rules.reserve(hint);
    made.set(key, name);
    rules.define(name, alternatives(index, used));
    return name;
  };
  const alternatives = (index: number, used: number): readonly Sequence[] => {
    const comma: Sequence = used === 0 ? [] : [text(","), json.blank];
    const isFull = used >= count.most;
    const member = declared[index];
    if (member !== undefined)
      return [
        ...(isFull ? [] : [[...comma, member.item, rest(index + 1, used + 1)]]),
        ...(member.isRequired ? [] : [[rest(index + 1, used)]]),
      ];
    const end: Sequence = used === 0 ? [text("}")] : [json.blank, text("}")];
    return [
      ...(used >= count.least ? [end] : []),
      ...(isFull || extra === undefined ? [] : extras(comma, used)),
    ];
  };
  /** Without a bound to count towards, further members are a loop. */
  const extras = (comma: Sequence, used: number): readonly Sequence[] => {
    const isCounted = count.most < Number.POSITIVE_INFINITY;
    return [[...comma, extra!, rest(declared.length, isCounted ? used + 1 : Math.max(used, 1))]];
  };
  return [[text("{"), json.blank, rest(0, 0)]];
}

/** Most members with free keys that are counted. */
const MOST_COUNTED = 1_000;

interface Count {
  readonly least: number;
  readonly most: number;
}

/** How many members to count; 0 and infinity where the other keywords see to it. */
function countBounds(schemas: readonly Located<SchemaObject>[], { declared, extra }: Members): Count {
  const required = declared.filter(({ isRequired }) => isRequired).length;
  const leasts = schemas.map((located) => ({ located, count: countOf(located, "minProperties") ?? 0 }));
  const largest = leasts.reduce((one, other) => (other.count > one.count ? other : one), leasts[0]!);
  const most = Math.min(
    Number.POSITIVE_INFINITY,
    ...schemas.flatMap((located) => countOf(located, "maxProperties") ?? []),
  );
  if (extra !== undefined && most !== Number.POSITIVE_INFINITY && most > MOST_COUNTED) {
    const { path } = schemas.find(({ schema }) => schema.maxProperties === most)!;
    throw unsupported(pathTo(path, "maxProperties"), `with free keys, it must not exceed ${MOST_COUNTED}.`);
  }
  const isMostCertain = extra === undefined && declared.length <= most;
  if (largest.count <= required) return { least: 0, most: isMostCertain ? Number.POSITIVE_INFINITY : most };
  // The same key twice would be counted twice.
  if (extra !== undefined)
    throw unsupported(
      pathTo(largest.located.path, "minProperties"),
      "with free keys, no grammar can count them. Name the keys in properties and required.",
    );
  return { least: largest.count, most: Math.min(most, declared.length) };
}
