import { z } from "zod";
import { defineFault, strikes, whichRequests } from "./fault.ts";

/** Requests that the engine fails. */
export const error = defineFault({
  parameters: z.strictObject(whichRequests),
  create(parameters, { random }) {
    const isStruck = strikes(parameters, random);
    return {
      answer(deltas) {
        if (!isStruck()) return deltas;
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
