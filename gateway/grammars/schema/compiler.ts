import { prune } from "../gbnf/prune.ts";
import { type Item, Rules, rule, type Sequence, text } from "../gbnf/rules.ts";
import { JsonRules } from "../json-rules.ts";
import { arrayRules } from "./arrays.ts";
import { type Facts, factsOf, type Union } from "./facts.ts";
import { type Conjunction, type Located, type SchemaObject, unsupported } from "./located.ts";
import { numberRules } from "./numbers.ts";
import { objectRules } from "./objects.ts";
import { refuseOverlaps } from "./overlaps.ts";
import type { SchemaRules } from "./schema-rules.ts";
import { stringRules } from "./strings.ts";
import { typesOf } from "./types.ts";
import { allowedValues } from "./values.ts";

/** Most combinations of the members of all unions in one place. */
const MOST_COMBINATIONS = 500;

/** Turns schemas into rules. A rule is made once for all places that ask for the same schemas, so they may be recursive. */
export class Compiler implements SchemaRules {
  readonly json: JsonRules;
  readonly rules: Rules;
  readonly root: Located;
  readonly #known = new Map<string, string>();
  readonly #ids = new Map<SchemaObject, number>();
  readonly #open: (() => void)[] = [];

  constructor(root: Located, rules = new Rules()) {
    this.root = root;
    this.rules = rules;
    this.json = new JsonRules(rules);
  }

  /** The rule for a value that satisfies all schemas; `finish` defines it. */
  value(conjunction: Conjunction, hint: string): Item {
    const facts = factsOf(conjunction, this.root);
    if (facts.schemas.length === 0 && !facts.isImpossible) return this.json.value;
    const key = facts.isImpossible ? "impossible" : facts.schemas.map((fact) => this.#keyOf(fact)).join(" ");
    const known = this.#known.get(key);
    if (known !== undefined) return rule(known);
    const name = this.rules.reserve(hint);
    this.#known.set(key, name);
    this.#open.push(() => this.rules.define(name, this.#alternatives(facts, hint)));
    return rule(name);
  }

  /** Defines all rules that have been asked for. They are not defined at once, because schemas can be very deep. */
  finish(): void {
    for (let define = this.#open.pop(); define !== undefined; define = this.#open.pop()) define();
  }

  #keyOf({ schema, isBare, isObserver }: Located<SchemaObject>): string {
    const id = this.#ids.get(schema) ?? this.#ids.size;
    this.#ids.set(schema, id);
    return `${id}${isBare ? "b" : ""}${isObserver ? "o" : ""}`;
  }

  #alternatives({ isImpossible, schemas, unions }: Facts, hint: string): readonly Sequence[] {
    if (isImpossible) return [];
    if (unions.length > 0) return this.#choices(schemas, unions, hint);
    const types = typesOf(schemas);
    const values = allowedValues(schemas, types);
    if (values !== undefined) return values.map((each) => this.json.constant(each));
    return [
      ...(types.has("object") ? objectRules(this, schemas, hint) : []),
      ...(types.has("array") ? arrayRules(this, schemas, hint) : []),
      ...(types.has("string") ? stringRules(this.json, schemas, hint) : []),
      ...(types.has("integer") ? numberRules(this.json, schemas, !types.has("number"), hint) : []),
      ...(types.has("boolean") ? [[this.json.boolean]] : []),
      ...(types.has("null") ? [[text("null")]] : []),
    ];
  }

  /** One alternative for each combination of the unions' members. */
  #choices(
    schemas: readonly Located<SchemaObject>[],
    unions: readonly Union[],
    hint: string,
  ): readonly Sequence[] {
    const bare = schemas.map((located) => ({ ...located, isBare: true }));
    for (const union of unions) refuseOverlaps(union, bare, (both) => this.#canHold(both));
    const combinations = unions.reduce<Conjunction[]>(
      (before, { members, path }) => {
        if (before.length * members.length > MOST_COMBINATIONS)
          throw unsupported(path, "it has too many combinations with the other anyOf and oneOf here.");
        return before.flatMap((some) => members.map((member) => [...some, member]));
      },
      [bare],
    );
    return combinations.map((combination) => [this.value(combination, hint)]);
  }

  /** Whether a value can satisfy all schemas. */
  #canHold(conjunction: Conjunction): boolean {
    const compiler = new Compiler(this.root);
    const name = compiler.rules.add("root", [[compiler.value(conjunction, "both")]]);
    compiler.finish();
    return prune(compiler.rules, name).size > 0;
  }
}
