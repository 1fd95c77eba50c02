import { type Alternatives, GrammarError, type Part } from "./gbnf.ts";

/** Most ways in which the beginning of an answer may go on. llama.cpp keeps them all, and tries them for each token. */
const MOST_WAYS = 3_000;

/** How far the grammar is tried, and when the trying ends. */
const LONGEST = 40;
const MOST_TRIED = 5;
const MOST_STEPS = 200_000;

/**
 * Refuses grammars whose ways to go on multiply with each character, such as `root ::= "a" root "b" | "a" root "c" | "a"`:
 * llama.cpp would fill the memory with them. It walks along a few answers and tells how many ways there are.
 * @throws GrammarError
 */
export function refuseAmbiguity(rules: ReadonlyMap<string, Alternatives>): void {
  const machine = new Machine(rules);
  const random = randomNumbers();
  /** By which characters are chosen: those with the most ways, those that lead deepest, or any. */
  const scores: ((ways: ReadonlySet<Way>) => number)[] = [
    (ways) => ways.size,
    (ways) => Math.max(0, ...[...ways].map((way) => way?.depth ?? 0)),
    random,
  ];
  for (const score of scores) {
    let ways: ReadonlySet<Way> = machine.start();
    for (let length = 0; length < LONGEST && ways.size > 0 && !machine.isTired; length++) {
      const parts = [...new Set([...ways].flatMap((way) => way?.part ?? []))];
      const first = Math.floor(random() * parts.length);
      const tried = [...parts.slice(first), ...parts.slice(0, first)].slice(0, MOST_TRIED);
      const next = tried.map((part) => machine.after(ways, characterOf(part, random)));
      ways = next.toSorted((one, other) => score(other) - score(one))[0] ?? NONE;
      if (ways.size > MOST_WAYS)
        throw new GrammarError(
          "It is too ambiguous: the same beginning of an answer could go on in too many ways.",
        );
    }
  }
}

const NONE: ReadonlySet<Way> = new Set();

/** The parts to come, the next one first. Equal lists are the same object. */
type Way = { readonly part: Part; readonly rest: Way; readonly depth: number } | undefined;

class Machine {
  readonly #rules: ReadonlyMap<string, Alternatives>;
  readonly #cells = new Map<Part, Map<Way, Way>>();
  readonly #repeats = new Map<Part, Map<string, Part>>();
  #steps = 0;

  constructor(rules: ReadonlyMap<string, Alternatives>) {
    this.#rules = rules;
  }

  /** Whether the grammar is so large that trying it takes too long. */
  get isTired(): boolean {
    return this.#steps > MOST_STEPS;
  }

  start(): ReadonlySet<Way> {
    return this.#expand([this.#cell({ kind: "rule", name: "root" }, undefined)]);
  }

  after(ways: ReadonlySet<Way>, character: number): ReadonlySet<Way> {
    const fitting = [...ways].filter((way) => way?.part.kind === "character" && fits(way.part, character));
    return this.#expand(fitting.map((way) => way?.rest));
  }

  /** The ways with a character first, and undefined if the answer can end. */
  #expand(open: readonly Way[]): ReadonlySet<Way> {
    const seen = new Set(open);
    const result = new Set<Way>();
    for (const way of seen) {
      this.#steps++;
      if (this.isTired) return result;
      if (way === undefined || way.part.kind === "character") result.add(way);
      else for (const next of this.#next(way.part, way.rest)) seen.add(next);
    }
    return result;
  }

  #next(part: Part, rest: Way): Way[] {
    if (part.kind === "repeat") {
      const { part: body, least, most } = part;
      const once =
        most === 0 ? [] : [this.#cell(body, this.#cell(this.#repeat(body, least - 1, most - 1), rest))];
      return least <= 0 ? [rest, ...once] : once;
    }
    const alternatives =
      part.kind === "rule" ? this.#rules.get(part.name)! : part.kind === "group" ? part.alternatives : [];
    return alternatives.map((parts) =>
      parts.reduceRight<Way>((after, each) => this.#cell(each, after), rest),
    );
  }

  #cell(part: Part, rest: Way): Way {
    const known = this.#cells.get(part) ?? new Map<Way, Way>();
    this.#cells.set(part, known);
    const cell = known.get(rest) ?? { part, rest, depth: 1 + (rest?.depth ?? 0) };
    known.set(rest, cell);
    return cell;
  }

  #repeat(part: Part, least: number, most: number): Part {
    const known = this.#repeats.get(part) ?? new Map<string, Part>();
    this.#repeats.set(part, known);
    const key = `${Math.max(0, least)} ${most}`;
    const repeat = known.get(key) ?? { kind: "repeat", part, least: Math.max(0, least), most };
    known.set(key, repeat);
    return repeat;
  }
}

type CharacterPart = Extract<Part, { kind: "character" }>;

const fits = ({ ranges, isNegated }: CharacterPart, character: number): boolean =>
  ranges.some(([first, last]) => first <= character && character <= last) !== isNegated;

/** A character that fits a part. */
function characterOf(part: Part, random: () => number): number {
  if (part.kind !== "character") return 0;
  const { ranges, isNegated } = part;
  if (isNegated) return Math.max(0x61, ...ranges.map(([, last]) => last + 1));
  const [first, last] = ranges[Math.floor(random() * ranges.length)]!;
  return first + Math.floor(random() * (last - first + 1));
}

/** Numbers from 0 up to 1, always the same: a grammar is refused every time or never (mulberry32). */
function randomNumbers(): () => number {
  let state = 1;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
