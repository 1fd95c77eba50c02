import { type Item, repeat, rule, type Sequence, text } from "../gbnf/rules.ts";
import { countOf, schemaOf, schemasOf } from "./keywords.ts";
import { type Conjunction, invalid, type Located, pathTo, type SchemaObject } from "./located.ts";
import type { SchemaRules } from "./schema-rules.ts";

const MOST_ITEMS = 100_000;
const MOST_PREFIX = 1_000;

/** The alternatives for a list; none if no list will do. */
export function arrayRules(
  compiler: SchemaRules,
  schemas: readonly Located<SchemaObject>[],
  hint: string,
): readonly Sequence[] {
  const { json, rules } = compiler;
  const counts = (keyword: string) => schemas.flatMap((located) => countWithin(located, keyword) ?? []);
  const least = Math.max(0, ...counts("minItems"));
  const most = Math.min(Number.POSITIVE_INFINITY, ...counts("maxItems"));
  if (most < least) return [];
  const shapes = schemas.map(shapeOf);
  const first = Math.max(0, ...shapes.map(({ prefix }) => prefix.length));
  if (first > MOST_PREFIX)
    throw invalid(schemas[0]!.path, `without more than ${MOST_PREFIX} schemas of first items`);
  const itemAt = (index: number): Item => compiler.value(itemsAt(shapes, index), `${hint.slice(-12)}-item`);
  const close = [json.blank, text("]")];
  /** What may follow `count` items. */
  const after = (count: number): Item => {
    const ends: Sequence[] = count >= least ? [close] : [];
    if (count >= most) return rule(rules.add(hint, ends));
    if (count < first) {
      const more: Sequence = [text(","), json.blank, itemAt(count), after(count + 1)];
      return rule(rules.add(hint, [more, ...ends]));
    }
    const more = rules.add(hint, [[text(","), json.blank, itemAt(count)]]);
    return rule(rules.add(hint, [[repeat(more, Math.max(0, least - count), most - count), ...close]]));
  };
  const empty: Sequence[] = least === 0 ? [[text("["), json.blank, text("]")]] : [];
  return most === 0 ? empty : [[text("["), json.blank, itemAt(0), after(1)], ...empty];
}

function countWithin(located: Located<SchemaObject>, keyword: string): number | undefined {
  const count = countOf(located, keyword);
  if (count !== undefined && count > MOST_ITEMS)
    throw invalid(pathTo(located.path, keyword), `at most ${MOST_ITEMS}`);
  return count;
}

interface Shape {
  /** The first items' own schemas. */
  readonly prefix: readonly Located[];
  readonly rest: Located | undefined;
}

/** Before 2020, `items` could be a list, with `additionalItems` after it. */
function shapeOf(located: Located<SchemaObject>): Shape {
  if (Array.isArray(located.schema.items))
    return { prefix: schemasOf(located, "items")!, rest: schemaOf(located, "additionalItems") };
  return { prefix: schemasOf(located, "prefixItems") ?? [], rest: schemaOf(located, "items") };
}

const itemsAt = (shapes: readonly Shape[], index: number): Conjunction =>
  shapes.flatMap(({ prefix, rest }) => prefix[index] ?? rest ?? []);
