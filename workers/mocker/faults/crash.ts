import { z } from "zod";
import type { Delta } from "../../engine.ts";
import { count, defineFault } from "./fault.ts";

/** Crashes the process after a number of requests or tokens. */
export const crash = defineFault({
  parameters: z
    .strictObject({ "after-requests": count.optional(), "after-tokens": count.optional() })
    .refine((parameters) => Object.values(parameters).some((value) => value !== undefined), {
      error: "it needs after-requests or after-tokens",
    }),
  create(
    {
      "after-requests": maxRequests = Number.POSITIVE_INFINITY,
      "after-tokens": maxTokens = Number.POSITIVE_INFINITY,
    },
    context,
  ) {
    let requests = 0;
    let tokens = 0;
    const check = () => {
      if (requests <= maxRequests && tokens <= maxTokens) return;
      context.log.warn("injected fault: the process crashes", { requests, tokens });
      context.crash();
    };
    async function* counted(deltas: AsyncIterable<Delta>): AsyncGenerator<Delta> {
      for await (const delta of deltas) {
        tokens += delta.tokenIds.length;
        check();
        yield delta;
      }
    }
    return {
      answer(deltas) {
        requests++;
        check();
        return counted(deltas);
      },
    };
  },
});
