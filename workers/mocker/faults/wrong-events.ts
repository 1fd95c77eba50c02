import { z } from "zod";
import type { KvEvent, Random } from "#runtime";
import { defineFault, share } from "./fault.ts";

const MODES = ["drop", "duplicate", "reorder", "corrupt"] as const;
type Mode = (typeof MODES)[number];

/**
 * KV events that misreport the prefix cache: lost, duplicated, reordered, or with wrong hashes. Snapshots stay correct.
 */
export const wrongEvents = defineFault({
  parameters: z.strictObject({ rate: share.default(1), mode: z.enum(MODES).optional() }),
  create({ rate, mode }, { random }) {
    /** By rank: the event held back until after the next one. */
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

/** Hashes that differ from these, whatever the random numbers. */
function corrupt(hashes: BigUint64Array, random: Random): BigUint64Array {
  return hashes.map((hash) => hash ^ ((BigInt(Math.floor(random() * 2 ** 32)) << 32n) | 1n));
}
