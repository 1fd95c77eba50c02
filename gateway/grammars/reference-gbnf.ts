/** A second reader of GBNF, written for the tests: it makes random sentences of a grammar, and recognises them. */

type Part =
  | { kind: "class"; ranges: [number, number][]; isNegated: boolean }
  | { kind: "rule"; name: string }
  | { kind: "repeat"; part: Part; least: number; most: number };

type Alternatives = Part[][];

export class ReferenceGrammar {
  readonly #rules = new Map<string, Alternatives>();
  readonly #heights = new Map<string, number>();

  constructor(gbnf: string) {
    for (const line of gbnf.split("\n")) {
      const [, name, body] = /^([\w-]+) ::= (.*)$/.exec(line) ?? [];
      if (name !== undefined) this.#rules.set(name, parse(body!));
      else if (line !== "") throw new Error(`not a rule: ${line}`);
    }
    for (const [name, alternatives] of this.#rules)
      for (const part of alternatives.flat())
        for (const used of namesIn(part))
          if (!this.#rules.has(used)) throw new Error(`${name}: no rule ${used}`);
    this.#measure();
  }

  /** @param random a number from 0 up to 1 */
  sentence(random: () => number, budget = 60): string {
    return this.#expandRule("root", random, budget);
  }

  accepts(text: string): boolean {
    let stacks = this.#expanded([cons({ kind: "rule", name: "root" }, undefined)]);
    for (const character of text) {
      const code = character.codePointAt(0)!;
      const after = [...stacks].flatMap((stack) =>
        stack?.part.kind === "class" && matches(stack.part, code) ? [stack.rest] : [],
      );
      stacks = this.#expanded(after);
      if (stacks.size === 0) return false;
    }
    return stacks.has(undefined);
  }

  /** Expands rules until each stack begins with a class, or is empty. */
  #expanded(open: Stack[]): ReadonlySet<Stack> {
    const result = new Set<Stack>();
    const seen = new Set<Stack>(open);
    for (const stack of seen) {
      if (stack === undefined || stack.part.kind === "class") result.add(stack);
      else if (stack.part.kind === "rule")
        for (const alternative of this.#rules.get(stack.part.name)!)
          seen.add(alternative.reduceRight<Stack>((rest, part) => cons(part, rest), stack.rest));
      else {
        const { part, least, most } = stack.part;
        if (least === 0) seen.add(stack.rest);
        if (most > 0)
          seen.add(cons(part, cons(repeated(part, Math.max(0, least - 1), most - 1), stack.rest)));
      }
    }
    return result;
  }

  #expandRule(name: string, random: () => number, budget: number): string {
    const alternatives = this.#rules.get(name)!;
    const least = Math.min(...alternatives.map((each) => this.#heightOf(each)));
    const fitting = alternatives.filter((each) => this.#heightOf(each) <= Math.max(budget, least));
    const chosen = fitting[Math.floor(random() * fitting.length)]!;
    return chosen.map((part) => this.#expand(part, random, budget - 1)).join("");
  }

  #expand(part: Part, random: () => number, budget: number): string {
    if (part.kind === "rule") return this.#expandRule(part.name, random, budget);
    if (part.kind === "class") {
      const ranges = part.isNegated ? inverse(part.ranges) : part.ranges;
      const [first, last] = ranges[Math.floor(random() * ranges.length)]!;
      return String.fromCodePoint(first + Math.floor(random() * (last - first + 1)));
    }
    const most = budget <= 0 ? part.least : Math.min(part.most, part.least + 4);
    const count = part.least + Math.floor(random() * (most - part.least + 1));
    return Array.from({ length: count }, () => this.#expand(part.part, random, budget - 1)).join("");
  }

  #heightOf(parts: readonly Part[]): number {
    const heights = parts.map((part): number => {
      if (part.kind === "class") return 0;
      if (part.kind === "rule") return this.#heights.get(part.name) ?? Number.POSITIVE_INFINITY;
      return part.least === 0 ? 0 : this.#heightOf([part.part]);
    });
    return 1 + Math.max(0, ...heights);
  }

  #measure(): void {
    for (let isStable = false; !isStable; ) {
      isStable = true;
      for (const [name, alternatives] of this.#rules) {
        const height = Math.min(...alternatives.map((each) => this.#heightOf(each)));
        if (height >= (this.#heights.get(name) ?? Number.POSITIVE_INFINITY)) continue;
        this.#heights.set(name, height);
        isStable = false;
      }
    }
    for (const name of this.#rules.keys())
      if (!this.#heights.has(name)) throw new Error(`${name} never ends`);
  }
}

/** A list of parts to come. Equal lists are the same object, so that a set removes duplicates. */
type Stack = { readonly part: Part; readonly rest: Stack } | undefined;

const cells = new WeakMap<Part, Map<Stack, Stack>>();

function cons(part: Part, rest: Stack): Stack {
  const known = cells.get(part) ?? new Map<Stack, Stack>();
  cells.set(part, known);
  const cell = known.get(rest) ?? { part, rest };
  known.set(rest, cell);
  return cell;
}

const repeats = new WeakMap<Part, Map<string, Part>>();

/** The same object for the same repetition. */
function repeated(part: Part, least: number, most: number): Part {
  const known = repeats.get(part) ?? new Map<string, Part>();
  repeats.set(part, known);
  const result = known.get(`${least} ${most}`) ?? { kind: "repeat", part, least, most };
  known.set(`${least} ${most}`, result);
  return result;
}

const namesIn = (part: Part): string[] =>
  part.kind === "rule" ? [part.name] : part.kind === "repeat" ? namesIn(part.part) : [];

const matches = ({ ranges, isNegated }: Extract<Part, { kind: "class" }>, code: number): boolean =>
  ranges.some(([first, last]) => first <= code && code <= last) !== isNegated;

function inverse(ranges: [number, number][]): [number, number][] {
  const sorted = ranges.toSorted((one, other) => one[0] - other[0]);
  const starts = [0, ...sorted.map(([, last]) => last + 1)];
  const ends = [...sorted.map(([first]) => first - 1), 0x10ffff];
  return starts.map((first, index): [number, number] => [first, ends[index]!]).filter(([a, b]) => a <= b);
}

/** Reads the alternatives of a rule. Our grammars have no groups and no comments. */
function parse(body: string): Alternatives {
  const alternatives: Alternatives = [[]];
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(body);
    if (match !== null) at += match[0].length;
    return match;
  };
  while (at < body.length) {
    if (take(/ +/y) !== null) continue;
    if (take(/\|/y) !== null) {
      alternatives.push([]);
      continue;
    }
    const current = alternatives.at(-1)!;
    const literal = take(/"((?:[^"\\]|\\.)*)"/y);
    if (literal !== null) {
      for (const code of characters(literal[1]!))
        current.push({ kind: "class", ranges: [[code, code]], isNegated: false });
      continue;
    }
    const set = take(/\[(\^?)((?:[^\]\\]|\\.)*)\]/y);
    const name = set === null ? take(/[\w-]+/y) : null;
    if (set !== null) current.push({ kind: "class", ranges: rangesOf(set[2]!), isNegated: set[1] === "^" });
    else if (name !== null) current.push({ kind: "rule", name: name[0] });
    else throw new Error(`unexpected at ${body.slice(at)}`);
    const bounds = take(/\*|\{(\d+),(\d*)\}/y);
    if (bounds === null) continue;
    const most = bounds[2] ? Number(bounds[2]) : Number.POSITIVE_INFINITY;
    current.push(repeated(current.pop()!, Number(bounds[1] ?? 0), most));
  }
  return alternatives;
}

const CHARACTER = /\\x([0-9a-f]{2})|\\u([0-9a-f]{4})|\\U([0-9a-f]{8})|[^\\]/uy;

function* characters(text: string): Generator<number> {
  for (let at = 0; at < text.length; ) {
    CHARACTER.lastIndex = at;
    const match = CHARACTER.exec(text)!;
    const code = match[1] ?? match[2] ?? match[3];
    yield code === undefined ? match[0].codePointAt(0)! : Number.parseInt(code, 16);
    at += match[0].length;
  }
}

function rangesOf(text: string): [number, number][] {
  const ranges: [number, number][] = [];
  const pattern = /(\\x..|\\u.{4}|\\U.{8}|[^\\])(?:-(\\x..|\\u.{4}|\\U.{8}|[^\\]))?/gu;
  for (const [, first, last] of text.matchAll(pattern)) {
    const [from] = characters(first!);
    const [to] = last === undefined ? [from] : characters(last);
    ranges.push([from!, to!]);
  }
  return ranges;
}
