import { z } from "zod";
import { defineFault, hits, whichRequests } from "./fault.ts";

/** Makes answers stall forever, although the engine keeps generating them. */
export const hang = defineFault({
  parameters: z.strictObject(whichRequests),
  create(parameters, { random, log }) {
    const isHit = hits(parameters, random);
    return {
      answer(deltas, signal) {
        if (!isHit()) return deltas;
        return (async function* () {
          let tokens = 0;
          for await (const delta of deltas) {
            tokens += delta.tokenIds.length;
            if (tokens > parameters["after-tokens"]) {
              log.warn("injected fault: an answer hangs", { tokens: parameters["after-tokens"] });
              return await aborted(signal);
            }
            yield delta;
          }
        })();
      },
    };
  },
});

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
