import type { Union } from "./facts.ts";
import { type Conjunction, unsupported } from "./located.ts";

/** Most members that are compared with each other. */
const MOST_MEMBERS = 50;

/**
 * A grammar can offer the members of a `oneOf`, but cannot see to it that only one of them holds. So what one offers
 * must never satisfy another.
 * @param others what holds besides
 * @param canHold whether a value can satisfy all of some schemas
 * @throws ApiError 400 if it can
 */
export function refuseOverlaps(
  union: Union,
  others: Conjunction,
  canHold: (conjunction: Conjunction) => boolean,
): void {
  const { members, path, isExclusive } = union;
  if (!isExclusive) return;
  if (members.length > MOST_MEMBERS)
    throw unsupported(path, `it has more than ${MOST_MEMBERS} members. Use anyOf.`);
  for (const [index, member] of members.entries())
    for (const [second, other] of members.entries()) {
      if (index === second) continue;
      const observer = { ...other, isObserver: true };
      if (!canHold([...others, member, observer])) continue;
      throw unsupported(
        path,
        `an answer could satisfy both [${index}] and [${second}], but oneOf allows only one. Use anyOf, or give each member a property with its own const.`,
      );
    }
}
