import { z } from "zod";
import type { KvEvent, Random } from "#runtime";
import { defineFault, share } from "./fault.ts";

const MODES = ["drop", "duplicate", "reorder", "corrupt"] as const;
type Mode = (typeof MODES)[number];

/**
 * KV events that do not tell what the prefix cache holds: left out, told twice, after the next one, or with other
 * hashes. A snapshot always tells the truth.
 */
export const wrongEvents = defineFault({
  parameters: z.strictObject({ rate: share.default(1), mode: z.enum(MODES).optional() }),
  create({ rate, mode }, { random }) {
    /** By rank: the event that comes after the next one. */
    const held = new Map<number, KvEvent>();
    return {
      events(events, rank) {
        return events.flatMap((event) => {
          const late = held.get(rank);
          held.delete(rank);
          const wrong = random() < rate ? (mode ?? MODES[Math.floor(random() * MODES.length)]!) : undefined;
          if (wrong === "reorder" && late === undefined) {
            held.set(rank, event);
            return [];
          }
          return [
            ...(wrong === undefined ? [event] : distort(event, wrong, random)),
            ...(late ? [late] : []),
          ];
        });
      },
    };
  },
});

function distort(event: KvEvent, mode: Mode, random: Random): KvEvent[] {
  switch (mode) {
    case "drop":
      return [];
    case "duplicate":
      return [event, event];
    case "reorder":
      return [event];
    case "corrupt":
      return [
        event.type === "cleared" ? event : { ...event, blockHashes: corrupt(event.blockHashes, random) },
      ];
  }
}

/** Other hashes than these, whatever the random numbers are. */
function corrupt(hashes: BigUint64Array, random: Random): BigUint64Array {
  return hashes.map((hash) => hash ^ ((BigInt(Math.floor(random() * 2 ** 32)) << 32n) | 1n));
}
