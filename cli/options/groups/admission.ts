import { z } from "zod";
import { amountOrShare, choice, list, number } from "../spec.ts";

/** When workers are busy, and how requests wait for them. */
export const admission = {
  "busy-decode-blocks": number({
    describe: "A worker is busy while requests hold this share of its KV blocks. Default: never.",
    min: 0.01,
    max: 1,
    int: false,
    placeholder: "0..1",
  }),
  "busy-prefill-tokens": amountOrShare({
    describe:
      "A worker is busy while this many prompt tokens wait on it; % of its max batched tokens. Default: never.",
  }),
  "queue-threshold": number({
    describe:
      "Requests queue once this many prefill steps (of max batched tokens) wait on every worker. Default: never.",
    min: 0.01,
    max: 1_000_000,
    int: false,
  }),
  "queue-limit": number({ describe: "Most queued requests per model.", default: 1024, min: 1 }),
  "queue-policy": choice(["fcfs", "shortest"], {
    describe: "Order within a priority and tenant: by arrival, or the shortest uncached prompt first.",
    default: "fcfs",
  }),
  "queue-timeout": number({
    describe: "Longest time in the queue in seconds.",
    default: 60,
    min: 0.001,
    max: 86_400,
    int: false,
  }),
  "tenant-weights": list({
    describe: "Tenants' shares of the queue; the default is 1.",
    placeholder: "NAME=N,…",
    item: z.string().regex(/^[^=,\s]+=(?=.*[1-9])\d+(\.\d+)?$/, "it must be NAME=WEIGHT, such as batch=0.5"),
  }),
  "tenant-from": choice(["none", "user"], {
    describe: "OpenAI field that names the tenant if stator.tenant is absent.",
    default: "none",
  }),
};
