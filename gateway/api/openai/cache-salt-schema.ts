import { z } from "zod";

/** vLLM's field. */
export const cacheSalt = z
  .string()
  .min(1)
  .max(128)
  .nullish()
  .describe(
    "Only requests with the same salt share cached KV with this one. Ignored if the gateway keeps the caches of keys apart.",
  );
