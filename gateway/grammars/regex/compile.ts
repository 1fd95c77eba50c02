import { type Automaton, type Edge, explore } from "../automata/automaton.ts";
import { ANY, intersection, type Ranges } from "../automata/ranges.ts";
import { parsePattern } from "./parse.ts";
import { type Pattern, PatternError } from "./types.ts";

/** Most states before they are made deterministic. */
const MOST_STATES = 8_000;

/**
 * The automaton of a regular expression.
 * @param isSearch whether it is to be found anywhere in a text, as JSON Schema's `pattern`, or is to match all of it
 * @throws PatternError
 */
export function compilePattern(source: string, isSearch: boolean): Automaton {
  const machine = new Machine();
  const start = machine.state();
  const end = machine.build(parsePattern(source), start);
  if (isSearch) {
    machine.edge(end, ANY, end);
    const prefix = machine.state();
    machine.edge(prefix, ANY, prefix);
    machine.jump(prefix, start);
    return machine.determine(prefix, end);
  }
  return machine.determine(start, end);
}

type Condition = "always" | "at start" | "at end";

/** A machine that can be in several states at once. */
class Machine {
  readonly #edges: Edge<number>[][] = [];
  readonly #classes = new Map<Ranges, Ranges>();
  readonly #jumps: { to: number; condition: Condition }[][] = [];

  state(): number {
    if (this.#edges.length >= MOST_STATES) throw new PatternError("is too long");
    this.#jumps.push([]);
    return this.#edges.push([]) - 1;
  }

  edge(from: number, on: Ranges, to: number): void {
    this.#edges[from]!.push({ on, to });
  }

  jump(from: number, to: number, condition: Condition = "always"): void {
    this.#jumps[from]!.push({ to, condition });
  }

  /** Adds a pattern after a state. @returns the state after it */
  build(pattern: Pattern, from: number): number {
    switch (pattern.kind) {
      case "class":
        return this.#step((to) => this.edge(from, this.#characters(pattern.ranges), to));
      case "start":
        return this.#step((to) => this.jump(from, to, "at start"));
      case "end":
        return this.#step((to) => this.jump(from, to, "at end"));
      case "sequence":
        return pattern.parts.reduce((state, part) => this.build(part, state), from);
      case "choice":
        return this.#step((to) => {
          for (const option of pattern.options) this.jump(this.build(option, from), to);
        });
      case "repeat":
        return this.#repeat(pattern, from);
    }
  }

  #step(connect: (to: number) => void): number {
    const to = this.state();
    connect(to);
    return to;
  }

  /** The same object for the same class, however often it is repeated. */
  #characters(ranges: Ranges): Ranges {
    const characters = this.#classes.get(ranges) ?? intersection(ranges, ANY);
    this.#classes.set(ranges, characters);
    return characters;
  }

  #repeat({ body, least, most }: Extract<Pattern, { kind: "repeat" }>, from: number): number {
    let state = from;
    for (let count = 0; count < least; count++) state = this.build(body, state);
    if (most === Number.POSITIVE_INFINITY) {
      const loop = this.state();
      this.jump(state, loop);
      this.jump(this.build(body, loop), loop);
      return loop;
    }
    const end = this.state();
    for (let count = least; count < most; count++) {
      this.jump(state, end);
      // A state of its own, so that a loop inside the body does not lead back to the way out.
      const next = this.state();
      this.jump(state, next);
      state = this.build(body, next);
    }
    this.jump(state, end);
    return end;
  }

  determine(start: number, end: number): Automaton {
    const first = this.#closure([start], ["always", "at start"]);
    return explore<readonly number[]>(
      first,
      (states) => ({
        accepts: this.#closure(
          states,
          states === first ? ["always", "at start", "at end"] : ["always", "at end"],
        ).includes(end),
        edges: this.#next(states),
      }),
      (states) => (states === first ? "start" : String(states)),
    );
  }

  /** Sweeps over the characters, from each one where a set begins or ends to the next. */
  #next(states: readonly number[]): Edge<readonly number[]>[] {
    const targets = new Map<Ranges, number[]>();
    for (const { on, to } of states.flatMap((state) => this.#edges[state]!))
      targets.set(on, [...(targets.get(on) ?? []), to]);
    const events = [...targets.keys()]
      .flatMap((on) =>
        on.flatMap(([first, last]) => [
          { at: first, on, begins: true },
          { at: last + 1, on, begins: false },
        ]),
      )
      .sort((one, other) => one.at - other.at);
    const active = new Set<Ranges>();
    const grouped = new Map<string, [number, number][]>();
    for (const [index, { at, on, begins }] of events.entries()) {
      if (begins) active.add(on);
      else active.delete(on);
      const next = events[index + 1]?.at ?? at;
      if (next === at || active.size === 0) continue;
      const key = [...new Set([...active].flatMap((each) => targets.get(each)!))].join();
      const group = grouped.get(key) ?? [];
      group.push([at, next - 1]);
      grouped.set(key, group);
    }
    return Array.from(grouped, ([key, on]) => ({
      on,
      to: this.#closure(key.split(",").map(Number), ["always"]),
    }));
  }

  /** The states and those to which their jumps lead, sorted. */
  #closure(states: readonly number[], conditions: readonly Condition[]): readonly number[] {
    const reached = new Set(states);
    for (const state of reached)
      for (const { to, condition } of this.#jumps[state]!)
        if (conditions.includes(condition)) reached.add(to);
    return [...reached].sort((one, other) => one - other);
  }
}
