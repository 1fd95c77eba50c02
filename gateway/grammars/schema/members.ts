import {
  type Automaton,
  accepts,
  acceptsNothing,
  anything,
  intersect,
  oneOf,
  without,
} from "../automata/automaton.ts";
import { automatonRules } from "../gbnf/automaton-rules.ts";
import { type Item, rule, type Sequence, text } from "../gbnf/rules.ts";
import { inString } from "../json-rules.ts";
import { factsOf } from "./facts.ts";
import { schemaMapOf, schemaOf, textsOf } from "./keywords.ts";
import { type Conjunction, type Located, pathTo, type SchemaObject, unsupported } from "./located.ts";
import type { SchemaRules } from "./schema-rules.ts";
import { searchAutomaton, stringLimitsOf } from "./strings.ts";

/** Most patterns of keys in one object: each combination of them is told apart. */
const MOST_PATTERNS = 4;

/** Most declared members of one object. */
const MOST_MEMBERS = 1_000;

export interface Member {
  /** The rule for its key and value. */
  readonly item: Item;
  readonly isRequired: boolean;
}

/** A pattern of keys, and the schema of a key's value. */
interface KeyPattern {
  readonly keys: Automaton;
  readonly value: Located;
}

interface Shape {
  readonly located: Located<SchemaObject>;
  readonly properties: ReadonlyMap<string, Located>;
  readonly patterns: readonly KeyPattern[];
  readonly additional: Located | undefined;
  readonly required: readonly string[];
}

/** The members that an object can have. */
export class Members {
  /** In the order of the schemas. */
  readonly declared: readonly Member[];
  /** The rule for any other member; undefined if there can be none. */
  readonly extra: Item | undefined;
  readonly isImpossible: boolean;
  readonly #compiler: SchemaRules;
  readonly #shapes: readonly Shape[];
  /** The keys that `propertyNames` allows; undefined for all. */
  readonly #allowed: Automaton | undefined;

  constructor(compiler: SchemaRules, schemas: readonly Located<SchemaObject>[], hint: string) {
    this.#compiler = compiler;
    this.#shapes = schemas.map((located) => this.#shapeOf(located));
    this.#allowed = this.#allowedKeys(schemas);
    const owners = this.#shapes.filter(({ located }) => !located.isObserver);
    const required = new Set(this.#shapes.flatMap((shape) => shape.required));
    const isOpen = owners.some(({ additional }) => additional !== undefined) || !owners.some(isClosed);
    const offered = new Set(
      (isOpen ? this.#shapes : owners).flatMap((shape) => [...shape.properties.keys(), ...shape.required]),
    );
    if (offered.size > MOST_MEMBERS)
      throw unsupported(
        schemas[0]!.path,
        `it has more than ${MOST_MEMBERS} properties. Split it into parts.`,
      );
    this.isImpossible = [...required].some((name) => !offered.has(name) || !this.#isAllowed(name));
    this.declared = [...offered]
      .filter((name) => this.#isAllowed(name))
      .map((name) => ({ item: this.#member(name), isRequired: required.has(name) }));
    this.extra = this.#extra([...offered], isOpen, hint);
  }

  #shapeOf(located: Located<SchemaObject>): Shape {
    const patterns = Array.from(schemaMapOf(located, "patternProperties"), ([pattern, value]) => ({
      ...{ keys: searchAutomaton(pattern, pathTo(located.path, "patternProperties", pattern)), value },
    }));
    if (patterns.length > MOST_PATTERNS)
      throw unsupported(
        pathTo(located.path, "patternProperties"),
        `it has more than ${MOST_PATTERNS} patterns. Join them.`,
      );
    const properties = schemaMapOf(located, "properties");
    const additional = schemaOf(located, "additionalProperties");
    return { located, properties, patterns, additional, required: textsOf(located, "required") };
  }

  #allowedKeys(schemas: readonly Located<SchemaObject>[]): Automaton | undefined {
    const names = schemas.flatMap((located) => schemaOf(located, "propertyNames") ?? []);
    if (names.length === 0) return undefined;
    const facts = factsOf(names, this.#compiler.root);
    if (facts.isImpossible) return without(anything, anything);
    const other = facts.schemas.find(({ schema }) =>
      ["enum", "const", "anyOf", "oneOf"].some((keyword) => schema[keyword] !== undefined),
    );
    const isMeasured = facts.schemas.some(({ schema }) => "minLength" in schema || "maxLength" in schema);
    if (other !== undefined || isMeasured)
      throw unsupported(names[0]!.path, "only pattern and format are. Use a pattern.");
    return stringLimitsOf(facts.schemas).automata.reduce(intersect, anything);
  }

  #isAllowed(name: string): boolean {
    return this.#allowed === undefined || accepts(this.#allowed, name);
  }

  #member(name: string): Item {
    const { json, rules } = this.#compiler;
    const value = this.#compiler.value(
      this.#valueOf((keys) => accepts(keys, name), name),
      name,
    );
    return rule(rules.add(name, [[...json.key(name), value]]));
  }

  /** What must hold for the value of a key: its own schemas, those of its patterns, or that of all other keys. */
  #valueOf(matches: (keys: Automaton) => boolean, name?: string): Conjunction {
    return this.#shapes.flatMap(({ properties, patterns, additional }) => {
      const own = name === undefined ? undefined : properties.get(name);
      const matched = patterns.filter(({ keys }) => matches(keys)).map(({ value }) => value);
      const all = own === undefined ? matched : [own, ...matched];
      return all.length > 0 ? all : (additional ?? []);
    });
  }

  #extra(declared: readonly string[], isOpen: boolean, hint: string): Item | undefined {
    const { json, rules } = this.#compiler;
    const patterns = this.#shapes.flatMap((shape) => shape.patterns.map(({ keys }) => keys));
    const alternatives: Sequence[] = [];
    const isAny = declared.length === 0 && patterns.length === 0 && this.#allowed === undefined;
    for (let chosen = isOpen ? 0 : 1; chosen < 2 ** Math.min(patterns.length, 2 * MOST_PATTERNS); chosen++) {
      const value = this.#valueOf((keys) => (chosen & (1 << patterns.indexOf(keys))) !== 0);
      if (factsOf(value, this.#compiler.root).isImpossible) continue;
      const keys = patterns.reduce(
        (before, pattern, index) => (chosen & (1 << index) ? intersect : without)(before, pattern),
        without(this.#allowed ?? anything, oneOf(declared)),
      );
      if (acceptsNothing(keys)) continue;
      const key = isAny
        ? [json.string]
        : json.stringOf(rule(automatonRules(rules, keys, `${hint.slice(-12)}-key`, inString)));
      const item = this.#compiler.value(value, `${hint.slice(-12)}-value`);
      alternatives.push([...key, text(":"), json.space, item]);
    }
    return alternatives.length === 0 ? undefined : rule(rules.add(`${hint}-member`, alternatives));
  }
}

/** Whether a schema names keys and says nothing of others: then a model is not offered any. */
const isClosed = ({ properties, patterns, located }: Shape): boolean =>
  properties.size > 0 || patterns.length > 0 || located.schema.properties !== undefined;
