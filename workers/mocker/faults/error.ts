import { z } from "zod";
import { defineFault, hits, whichRequests } from "./fault.ts";

/** Fails requests. */
export const error = defineFault({
  parameters: z.strictObject(whichRequests),
  create(parameters, { random }) {
    const isHit = hits(parameters, random);
    return {
      answer(deltas) {
        if (!isHit()) return deltas;
        return (async function* () {
          let tokens = 0;
          for await (const delta of deltas) {
            tokens += delta.tokenIds.length;
            if (tokens > parameters["after-tokens"]) throw new Error("Injected fault: the request fails.");
            yield delta;
          }
        })();
      },
    };
  },
});
