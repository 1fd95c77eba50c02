import { refuseAmbiguity } from "./ambiguity.ts";
import { type Alternatives, GrammarError, type Part, parseGbnf } from "./gbnf.ts";
import type { Characters } from "./writable.ts";

/** Largest grammars: in characters, and in parts once llama.cpp has written out all repetitions. */
const LONGEST = 4_000_000;
const MOST_PARTS = 1_000_000;
/** Most repetitions of one item that llama.cpp reads. */
const MOST_REPEATED = 1_999;
/** Most repetitions of something that can be empty. */
const MOST_EMPTY = 16;
/** Longest chain of rules that begin with each other, and most such chains. */
const LONGEST_CHAIN = 5_000;
const MOST_PATHS = 10_000_000;

/**
 * Refuses the grammars with which llama.cpp would crash, never end or get stuck: it finds only some of them itself.
 * @param writable the characters that the model can write
 * @throws GrammarError
 */
export function checkGrammar(source: string, writable: Characters): void {
  if (source.length > LONGEST) throw new GrammarError(`It has more than ${LONGEST} characters.`);
  if (source.includes("\0")) throw new GrammarError("It has a NUL character.");
  const rules = parseGbnf(source);
  if (!rules.has("root")) throw new GrammarError("It has no rule 'root'.");
  for (const [name, alternatives] of rules)
    for (const used of namesIn(alternatives))
      if (!rules.has(used))
        throw new GrammarError(`Its rule '${name}' uses '${used}', which is not defined.`);
  let size = 0;
  for (const alternatives of rules.values()) size += sizeOf(alternatives);
  if (size > MOST_PARTS) throw new GrammarError("Its repetitions are too large.");
  refuseUnwritable(rules, writable);
  refuseEndless(rules);
  refuseLeftRecursion(rules);
  refuseAmbiguity(rules);
}

type Rules = ReadonlyMap<string, Alternatives>;

function* namesIn(alternatives: Alternatives): Generator<string> {
  for (const part of alternatives.flat()) yield* namesOf(part);
}

function* namesOf(part: Part): Generator<string> {
  if (part.kind === "rule") yield part.name;
  else if (part.kind === "group") yield* namesIn(part.alternatives);
  else if (part.kind === "repeat") yield* namesOf(part.part);
}

const sizeOf = (alternatives: Alternatives): number =>
  alternatives.reduce((sum, parts) => sum + parts.reduce((all, part) => all + sizeOfPart(part), 1), 0);

function sizeOfPart(part: Part): number {
  if (part.kind === "group") return sizeOf(part.alternatives);
  if (part.kind !== "repeat") return 1;
  const largest = part.most === Number.POSITIVE_INFINITY ? part.least : part.most;
  if (largest > MOST_REPEATED)
    throw new GrammarError(`It repeats something more than ${MOST_REPEATED} times.`);
  const times = Math.max(1, part.least, part.most === Number.POSITIVE_INFINITY ? 0 : part.most);
  return times * (1 + sizeOfPart(part.part));
}

/**
 * The rules for which a property holds, which is true of a sequence if it is true of all its parts.
 * @param ofCharacter whether it is true of characters
 */
function rulesWhere(rules: Rules, ofCharacter: boolean): ReadonlySet<string> {
  const found = new Set<string>();
  const users = new Map<string, string[]>();
  for (const [name, alternatives] of rules)
    for (const used of new Set(namesIn(alternatives))) users.set(used, [...(users.get(used) ?? []), name]);
  const open = [...rules.keys()];
  for (const name of open) {
    if (found.has(name) || !holdsFor(rules.get(name)!, found, ofCharacter)) continue;
    found.add(name);
    open.push(...(users.get(name) ?? []));
  }
  return found;
}

const holdsFor = (alternatives: Alternatives, found: ReadonlySet<string>, ofCharacter: boolean): boolean =>
  alternatives.some((parts) => parts.every((part) => holdsForPart(part, found, ofCharacter)));

function holdsForPart(part: Part, found: ReadonlySet<string>, ofCharacter: boolean): boolean {
  if (part.kind === "character") return ofCharacter;
  if (part.kind === "rule") return found.has(part.name);
  if (part.kind === "group") return holdsFor(part.alternatives, found, ofCharacter);
  return part.least === 0 || holdsForPart(part.part, found, ofCharacter);
}

/** A character that no token can write would leave the model without a token. */
function refuseUnwritable(rules: Rules, writable: Characters): void {
  for (const [name, alternatives] of rules)
    for (const part of charactersIn(alternatives))
      if (!hasWritable(part, writable))
        throw new GrammarError(`Its rule '${name}' needs a character that the model has no token for.`);
}

type CharacterPart = Extract<Part, { kind: "character" }>;

function* charactersIn(alternatives: Alternatives): Generator<CharacterPart> {
  for (const part of alternatives.flat()) {
    if (part.kind === "character") yield part;
    else if (part.kind === "group") yield* charactersIn(part.alternatives);
    else if (part.kind === "repeat") yield* charactersIn([[part.part]]);
  }
}

function hasWritable({ ranges, isNegated }: CharacterPart, writable: Characters): boolean {
  if (!isNegated)
    return ranges.some(([first, last]) => writable.some((each) => each[0] <= last && first <= each[1]));
  const excluded = ranges.toSorted((one, other) => one[0] - other[0]);
  return writable.some(([first, last]) => {
    let next = first;
    for (const range of excluded) if (range[0] <= next) next = Math.max(next, range[1] + 1);
    return next <= last;
  });
}

/** A rule that never ends: in some answers, the model would have no way out. */
function refuseEndless(rules: Rules): void {
  const ending = rulesWhere(rules, true);
  for (const name of rules.keys())
    if (!ending.has(name)) throw new GrammarError(`Its rule '${name}' never ends.`);
}

/** llama.cpp expands rules that begin with themselves for ever. */
function refuseLeftRecursion(rules: Rules): void {
  const empty = rulesWhere(rules, false);
  const isEmpty = (part: Part) => holdsForPart(part, empty, false);
  for (const [name, alternatives] of rules) {
    if (emptyTimes(alternatives, isEmpty) > MOST_EMPTY)
      throw new GrammarError(
        `Its rule '${name}' repeats something that can be empty more than ${MOST_EMPTY} times.`,
      );
    const endless = repeatsIn(alternatives).find(
      ({ part, most }) => most === Number.POSITIVE_INFINITY && isEmpty(part),
    );
    if (endless !== undefined)
      throw new GrammarError(`Its rule '${name}' repeats without end something that can be empty.`);
  }
  const firstOf = (alternatives: Alternatives): string[] =>
    alternatives.flatMap((parts) => {
      const first = parts.findIndex((part) => !isEmpty(part));
      return parts.slice(0, first < 0 ? parts.length : first + 1).flatMap(firstOfPart);
    });
  const firstOfPart = (part: Part): string[] => {
    if (part.kind === "rule") return [part.name];
    if (part.kind === "group") return firstOf(part.alternatives);
    if (part.kind !== "repeat") return [];
    const names = firstOfPart(part.part);
    return isEmpty(part.part) ? Array.from({ length: part.most }, () => names).flat() : names;
  };
  followBeginnings(new Map(Array.from(rules, ([name, alternatives]) => [name, firstOf(alternatives)])));
}

/** How often something that can be empty is repeated at most: llama.cpp tries all ways of leaving some of them out. */
const emptyTimes = (alternatives: Alternatives, isEmpty: (part: Part) => boolean): number =>
  Math.max(
    1,
    ...alternatives.flat().map((part) => {
      if (part.kind === "group") return emptyTimes(part.alternatives, isEmpty);
      if (part.kind !== "repeat") return 1;
      const times = isEmpty(part.part) && part.most !== Number.POSITIVE_INFINITY ? part.most : 1;
      return Math.max(1, times) * emptyTimes([[part.part]], isEmpty);
    }),
  );

const repeatsIn = (alternatives: Alternatives): Extract<Part, { kind: "repeat" }>[] =>
  alternatives.flat().flatMap((part) => {
    if (part.kind === "group") return repeatsIn(part.alternatives);
    return part.kind === "repeat" ? [part, ...repeatsIn([[part.part]])] : [];
  });

/**
 * Follows the rules that begin with each other. llama.cpp does so recursively, and along all paths.
 * @param beginnings for each rule, those with which it can begin
 */
function followBeginnings(beginnings: ReadonlyMap<string, readonly string[]>): void {
  const known = new Map<string, { depth: number; paths: number }>();
  for (const start of beginnings.keys()) {
    const path = known.has(start) ? [] : [{ name: start, next: 0, depth: 0, paths: 1 }];
    const inPath = new Set([start]);
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const child = beginnings.get(top.name)![top.next++];
      const childIsKnown = child === undefined ? undefined : known.get(child);
      if (child === undefined) {
        path.pop();
        inPath.delete(top.name);
        known.set(top.name, top);
        add(path.at(-1), top);
      } else if (childIsKnown !== undefined) add(top, childIsKnown);
      else if (inPath.has(child))
        throw new GrammarError(
          `Its rule '${child}' begins with itself (left recursion). Put the repetition last.`,
        );
      else {
        path.push({ name: child, next: 0, depth: 0, paths: 1 });
        inPath.add(child);
      }
    }
  }
  let paths = 0;
  for (const each of known.values()) paths += each.paths;
  if (paths > MOST_PATHS) throw new GrammarError("Its rules begin with each other in too many ways.");
}

function add(
  parent: { depth: number; paths: number } | undefined,
  child: { readonly depth: number; readonly paths: number },
): void {
  if (parent === undefined) return;
  parent.depth = Math.max(parent.depth, child.depth + 1);
  parent.paths += child.paths;
  if (parent.depth > LONGEST_CHAIN)
    throw new GrammarError("Its rules begin with each other in too long a chain.");
}
