import type { Automaton } from "../automata/automaton.ts";
import { difference, type Ranges } from "../automata/ranges.ts";
import { oneOf, type Rules, rule, type Sequence } from "./rules.ts";

/** The ways to write one of some characters. */
export type Alphabet = (characters: Ranges) => readonly Sequence[];

/** Characters as they are. llama.cpp cannot match NUL. */
export const plain: Alphabet = (characters) => {
  const ranges = difference(characters, [[0, 0]]);
  return ranges.length === 0 ? [] : [[oneOf(ranges)]];
};

/** Adds rules that match what an automaton accepts: one for each state, so that only one of them can apply at a time. */
export function automatonRules(rules: Rules, automaton: Automaton, hint: string, alphabet: Alphabet): string {
  const names = automaton.map(() => rules.reserve(hint));
  const symbol = (characters: Ranges): Sequence => {
    const ways = alphabet(characters);
    if (ways.length === 1) return ways[0]!;
    return [rule(rules.share(`${hint} ${JSON.stringify(characters)}`, "character", () => ways))];
  };
  for (const [number, { accepts, edges }] of automaton.entries())
    rules.define(names[number]!, [
      ...edges.map(({ on, to }) => [...symbol(on), rule(names[to]!)]),
      ...(accepts ? [[]] : []),
    ]);
  return names[0]!;
}
