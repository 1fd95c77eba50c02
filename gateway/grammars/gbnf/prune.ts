import { type Item, type Rules, type Sequence, text } from "./rules.ts";

/**
 * Leaves out the alternatives that can never be completed: llama.cpp would be stuck in them.
 * @returns the alternatives of the rules that remain; empty if the root matches nothing
 */
export function prune(rules: Rules, root: string): ReadonlyMap<string, readonly Sequence[]> {
  const possible = possibleRules(rules);
  const kept = new Map<string, readonly Sequence[]>();
  if (!possible.has(root)) return kept;
  const open = [root];
  const seen = new Set(open);
  for (const name of open) {
    const alternatives = rules
      .get(name)
      .filter((sequence) => sequence.every((item) => isPossible(item, possible)))
      .map((sequence) => sequence.map((item) => withoutImpossible(item, possible)));
    kept.set(name, alternatives);
    for (const item of alternatives.flat()) {
      if (!("name" in item) || seen.has(item.name)) continue;
      seen.add(item.name);
      open.push(item.name);
    }
  }
  return kept;
}

/** The rules that match something. */
function possibleRules(rules: Rules): ReadonlySet<string> {
  const users = new Map<string, Set<string>>();
  for (const name of rules.names())
    for (const item of rules.get(name).flat())
      if ("name" in item) users.set(item.name, (users.get(item.name) ?? new Set()).add(name));
  const possible = new Set<string>();
  const open = [...rules.names()];
  for (const name of open) {
    if (possible.has(name)) continue;
    if (!rules.get(name).some((sequence) => sequence.every((item) => isPossible(item, possible)))) continue;
    possible.add(name);
    open.push(...(users.get(name) ?? []));
  }
  return possible;
}

function isPossible(item: Item, possible: ReadonlySet<string>): boolean {
  if (item.kind === "text") return true;
  if (item.kind === "class") return item.ranges.length > 0;
  if (item.kind === "repeat" && item.least === 0) return true;
  return possible.has(item.name);
}

const withoutImpossible = (item: Item, possible: ReadonlySet<string>): Item =>
  item.kind === "repeat" && !possible.has(item.name) ? text("") : item;
