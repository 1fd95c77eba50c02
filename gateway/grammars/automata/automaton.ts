import {
  ANY,
  charactersOf,
  difference as charactersWithout,
  intersection,
  type Ranges,
  union,
} from "./ranges.ts";

/** A deterministic finite automaton over characters. It starts in state 0; a character without an edge is rejected. */
export type Automaton = readonly State[];

export interface State {
  readonly accepts: boolean;
  /** Their sets of characters are disjoint. */
  readonly edges: readonly Edge<number>[];
}

export interface Edge<Target> {
  readonly on: Ranges;
  readonly to: Target;
}

/** Why there is no automaton: a part of a sentence whose subject is the constraint. */
export class AutomatonError extends Error {}

/** Most states of an automaton: each becomes a rule of the grammar. */
const MOST_STATES = 8_000;

/**
 * Builds an automaton from a description of its states.
 * @param describe whether a state accepts, and its edges, whose sets are disjoint
 * @param keyOf two states are the same if their keys are
 * @throws AutomatonError if it has too many states
 */
export function explore<Source>(
  start: Source,
  describe: (state: Source) => { accepts: boolean; edges: readonly Edge<Source>[] },
  keyOf: (state: Source) => string,
): Automaton {
  const numbers = new Map<string, number>([[keyOf(start), 0]]);
  const open = [start];
  const states: State[] = [];
  for (const source of open) {
    const { accepts, edges } = describe(source);
    const targets = new Map<number, Ranges>();
    for (const { on, to } of edges) {
      const key = keyOf(to);
      let number = numbers.get(key);
      if (number === undefined) {
        number = numbers.size;
        numbers.set(key, number);
        open.push(to);
        if (open.length > MOST_STATES) throw new AutomatonError("is too complex: make its numbers smaller");
      }
      targets.set(number, union(targets.get(number) ?? [], on));
    }
    states.push({ accepts, edges: Array.from(targets, ([to, on]) => ({ on, to })) });
  }
  return trim(states);
}

/** Accepts what both accept. */
export const intersect = (one: Automaton, other: Automaton): Automaton =>
  explore<readonly [number, number]>(
    [0, 0],
    ([a, b]) => ({
      accepts: one[a]!.accepts && other[b]!.accepts,
      edges: one[a]!.edges.flatMap((first) =>
        other[b]!.edges.flatMap((second) => {
          const on = intersection(first.on, second.on);
          return on.length === 0 ? [] : [{ on, to: [first.to, second.to] as const }];
        }),
      ),
    }),
    String,
  );

/** Accepts what the first accepts and the other does not. */
export const without = (one: Automaton, other: Automaton): Automaton =>
  explore<readonly [number, number | undefined]>(
    [0, 0],
    ([a, b]) => ({
      accepts: one[a]!.accepts && !(b !== undefined && other[b]!.accepts),
      edges: one[a]!.edges.flatMap(({ on, to }) => {
        const against = b === undefined ? [] : other[b]!.edges;
        const rest = charactersWithout(on, union(...against.map((edge) => edge.on)));
        return [
          ...(rest.length === 0 ? [] : [{ on: rest, to: [to, undefined] as const }]),
          ...against.flatMap((edge) => {
            const both = intersection(on, edge.on);
            return both.length === 0 ? [] : [{ on: both, to: [to, edge.to] as const }];
          }),
        ];
      }),
    }),
    String,
  );

/** Accepts what an automaton accepts and has a number of characters in the bounds. */
export const withLength = (automaton: Automaton, least: number, most: number): Automaton =>
  explore<readonly [number, number]>(
    [0, 0],
    ([state, length]) => ({
      accepts: automaton[state]!.accepts && length >= least,
      edges:
        length === most
          ? []
          : automaton[state]!.edges.map(({ on, to }) => ({
              on,
              // Without an upper bound, the length no longer matters once it is enough.
              to: [to, most === Number.POSITIVE_INFINITY ? Math.min(length + 1, least) : length + 1] as const,
            })),
    }),
    String,
  );

/** Accepts any text. */
export const anything: Automaton = [{ accepts: true, edges: [{ on: ANY, to: 0 }] }];

/** Accepts exactly these texts. */
export const oneOf = (texts: readonly string[]): Automaton =>
  explore<readonly string[]>(
    texts,
    (rests) => {
      const next = new Map<number, string[]>();
      for (const rest of rests) {
        const character = rest.codePointAt(0);
        if (character === undefined) continue;
        const after = rest.slice(String.fromCodePoint(character).length);
        next.set(character, [...(next.get(character) ?? []), after]);
      }
      return {
        accepts: rests.includes(""),
        edges: Array.from(next, ([character, to]) => ({ on: [[character, character]] as Ranges, to })),
      };
    },
    (rests) => JSON.stringify(rests),
  );

/** Accepts the texts that end with this one, and have it nowhere before. */
export function upTo(end: string): Automaton {
  const characters = Array.from(end);
  const known = [...new Set(characters)];
  /** How much of the end a text ends with, if it is `read` and then `character`. */
  const after = (read: number, character: string): number => {
    const text = [...characters.slice(0, read), character].join("");
    for (let length = read + 1; length > 0; length--)
      if (text.endsWith(characters.slice(0, length).join(""))) return length;
    return 0;
  };
  return explore<number>(
    0,
    (read) => {
      if (read === characters.length) return { accepts: true, edges: [] };
      const others = { on: charactersWithout(ANY, charactersOf(known.join(""))), to: 0 };
      const edges = known.map((each) => ({ on: charactersOf(each), to: after(read, each) }));
      return { accepts: false, edges: [...edges, others] };
    },
    String,
  );
}

export const acceptsNothing = (automaton: Automaton): boolean => !automaton.some((state) => state.accepts);

export function accepts(automaton: Automaton, text: string): boolean {
  let state = automaton[0]!;
  for (const character of text) {
    const code = character.codePointAt(0)!;
    const edge = state.edges.find(({ on }) => on.some(([first, last]) => first <= code && code <= last));
    if (edge === undefined) return false;
    state = automaton[edge.to]!;
  }
  return state.accepts;
}

/** Removes the edges from which no accepting state can be reached. */
function trim(states: readonly State[]): Automaton {
  const sources = states.map((): number[] => []);
  for (const [from, { edges }] of states.entries()) for (const { to } of edges) sources[to]!.push(from);
  const useful = new Set(states.flatMap(({ accepts }, number) => (accepts ? [number] : [])));
  for (const state of useful) for (const from of sources[state]!) useful.add(from);
  return states.map(({ accepts, edges }) => ({ accepts, edges: edges.filter(({ to }) => useful.has(to)) }));
}
