import { z } from "zod";
import type { EngineSpec } from "#gateway";
import type { OptionSpec } from "./spec.ts";

const engine = z.strictObject({
  url: z.string().min(1),
  name: z.string().min(1).optional(),
  "api-key": z.string().min(1).optional(),
  tags: z.array(z.string().regex(/^[^=,\s]+=[^,\s]+$/, "it must be key=value, such as gpu=h100")).optional(),
  "block-size": z.int().min(1).max(16_384).optional(),
  role: z.enum(["aggregated", "prefill", "decode", "encode"]).optional(),
  "kv-events": z
    .strictObject({
      endpoint: z.string(),
      replay: z.string().optional(),
      topic: z.string().optional(),
    })
    .optional(),
});

const asSpec = (given: z.infer<typeof engine>): EngineSpec => {
  const events = given["kv-events"];
  return {
    url: given.url,
    name: given.name,
    apiKey: given["api-key"],
    tags: given.tags,
    blockSize: given["block-size"],
    role: given.role,
    kvEvents: events && { endpoint: events.endpoint, replayEndpoint: events.replay, topic: events.topic },
  };
};

/** Engines to attach: addresses, or in YAML also objects with what an engine does not report. */
export const enginesOption: OptionSpec<EngineSpec[]> = {
  schema: z
    .preprocess(
      (value) => (typeof value === "string" ? value.split(",").map((url) => url.trim()) : value),
      z.array(
        z.preprocess((item) => (typeof item === "string" ? { url: item } : item), engine).transform(asSpec),
      ),
    )
    .default([]) as unknown as z.ZodType<EngineSpec[]>,
  describe:
    "Addresses of engines to attach; in YAML each can also have name, role, tags, api-key, block-size and kv-events.",
  placeholder: "URL,…",
  defaultText: undefined,
  isList: true,
};
