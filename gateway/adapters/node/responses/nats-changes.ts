import type { Change } from "../../../api/conversations/changes.ts";

/** All changes of a conversation up to a sequence number. */
export interface Summary {
  readonly type: "summary";
  readonly upTo: number;
  readonly changes: readonly Change[];
}

/** What the log of a conversation consists of. */
export type Entry = Change | Summary;

/** A conversation's changes: those of its latest summary, and those that are not in it, even if they come before it. */
export function summarized(
  entries: readonly { readonly sequence: number; readonly entry: Entry }[],
): readonly Change[] {
  let latest: Summary = { type: "summary", upTo: 0, changes: [] };
  for (const { entry } of entries) if (entry.type === "summary" && entry.upTo > latest.upTo) latest = entry;
  const later = entries.flatMap(({ sequence, entry }) =>
    sequence > latest.upTo && entry.type !== "summary" ? [entry] : [],
  );
  return [...latest.changes, ...later];
}
