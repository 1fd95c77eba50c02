import { z } from "zod";
import type { Diagnosis } from "./types.ts";

/** A field that may be absent in the input, and is always present in the output. */
const maybe = <Schema extends z.ZodType>(schema: Schema) => schema.optional().transform((value) => value);

const strings = z.array(z.string());

const check = z.object({
  id: z.enum([
    "answers",
    "test-request",
    "prefix-caching",
    "kv-events",
    "kv-events-connection",
    "kv-events-arrive",
    "kv-events-readable",
    "block-size",
    "tokens",
    "prediction",
    "cached-tokens",
    "media",
    "replay",
    "load",
    "kv-handoff",
    "same-block-size",
    "same-tokenizer",
    "same-model",
  ]),
  status: z.enum(["ok", "problem", "note", "skipped"]),
  text: z.string(),
  cost: z.string().optional(),
  fix: z.string().optional(),
  flag: z.string().optional(),
});

const engine = z.object({
  name: z.string(),
  url: z.string(),
  state: z.enum(["connecting", "ready", "down", "draining", "gone"]),
  role: z.enum(["aggregated", "prefill", "decode", "encode"]),
  reason: maybe(z.string()),
  kind: maybe(z.enum(["vllm", "sglang", "tensorrt-llm", "llama.cpp", "openai"])),
  version: maybe(z.string()),
  models: z.array(
    z.object({
      name: z.string(),
      aliases: strings,
      adapters: strings,
      contextLength: maybe(z.number()),
      tokens: z.string(),
    }),
  ),
  blockSize: maybe(z.number()),
  totalBlocks: maybe(z.number()),
  dataParallelSize: z.number(),
  kvEvents: z.object({
    kind: z.enum(["zmq", "poll", "none"]),
    endpoints: strings,
    isConnected: z.boolean(),
    batches: z.number(),
  }),
  limitations: z.array(z.object({ code: z.string(), what: z.string(), flag: maybe(z.string()) })),
});

/** A diagnosis as a gateway returns it. */
export const diagnosisSchema: z.ZodType<Diagnosis> = z.object({
  engines: z.array(z.object({ engine, checks: z.array(check) })),
  together: z.array(check),
  isWell: z.boolean(),
});
