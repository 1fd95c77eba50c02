import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { KvUnusableError } from "../../kv/types.ts";
import { defineFault, hits, whichRequests } from "./fault.ts";

/**
 * Breaks the exchange of KV: exports take longer, or imports stall until they are given up, have the wrong size, or were
 * freed while they were read.
 */
export const kv = defineFault({
  parameters: z.strictObject({
    mode: z.enum(["slow-export", "stall", "wrong-size", "expire"]),
    seconds: z.coerce.number().min(0).max(3600).default(1),
    rate: whichRequests.rate,
    "after-requests": whichRequests["after-requests"],
  }),
  create(parameters, { random, log }) {
    const { mode, seconds } = parameters;
    const isHit = hits(parameters, random);
    const struck = () => {
      const isStruck = isHit();
      if (isStruck) log.warn("injected fault: KV", { mode });
      return isStruck;
    };
    if (mode === "slow-export")
      return {
        async beforeExport(signal) {
          if (struck()) await sleep(seconds * 1000, undefined, { signal });
        },
      };
    return {
      async afterImport(signal) {
        if (!struck()) return;
        switch (mode) {
          case "stall":
            return untilGivenUp(signal);
          case "wrong-size":
            throw new KvUnusableError("failed", "Injected fault: the KV has another size than announced.");
          case "expire":
            throw new KvUnusableError("expired", "Injected fault: the KV was freed while it was read.");
        }
      },
    };
  },
});

function untilGivenUp(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const giveUp = () => reject(signal.reason);
    if (signal.aborted) giveUp();
    else signal.addEventListener("abort", giveUp, { once: true });
  });
}
