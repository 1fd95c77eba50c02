import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { defineService, endpoint } from "#services";

/** Answers a text with a greeting, one word at a time. */
export const hello = defineService({
  name: "hello",
  endpoints: {
    generate: endpoint({
      request: z.object({ text: z.string().min(1) }),
      response: z.string(),
      async *handle({ text }, { signal }) {
        for (const word of `Hello, ${text}!`.split(" ")) {
          await sleep(100, undefined, { signal });
          yield word;
        }
      },
    }),
  },
});
