import type { Context } from "hono";
import { z } from "zod";
import { readJsonBody } from "../../access/body.ts";
import type { Thresholds } from "../../routing/load/thresholds.ts";
import type { OpsDependencies } from "../dependencies.ts";
import { validate } from "../openai/validate.ts";
import { strictObject } from "../strict-object.ts";
import { refuseUnknownQuery } from "./query.ts";

/** The body of `POST /v1/router/thresholds`: an absent threshold stays as it is, null removes it. */
export const thresholdsRequest = strictObject({
  model: z.string().min(1).optional().describe("Name or alias of the model; default: all models."),
  busy_decode_blocks: z
    .number()
    .min(0.01)
    .max(1)
    .nullable()
    .optional()
    .describe("See --busy-decode-blocks; null removes the threshold."),
  busy_prefill_tokens: z
    .union([
      z.number().min(0.01).max(1_000_000_000),
      z
        .string()
        .regex(
          /^(?=.*[1-9])\d{1,9}(\.\d{1,9})?%$/,
          "must be a number or a percentage, such as 20000 or '150%'.",
        ),
    ])
    .nullable()
    .optional()
    .describe("See --busy-prefill-tokens: a number, or a percentage as a string."),
  queue_threshold: z
    .number()
    .min(0.01)
    .max(1_000_000)
    .nullable()
    .optional()
    .describe("See --queue-threshold."),
});

/** `GET /v1/router/thresholds` */
export function showThresholds(context: Context, { models }: OpsDependencies): Response {
  refuseUnknownQuery(context, ["model"]);
  const data = models.select(context.req.query("model")).map(({ name, router }) => ({
    model: name,
    ...describe(router.thresholds),
  }));
  return context.json({ object: "list", data });
}

/** `POST /v1/router/thresholds`: changes them until the gateway stops; models added later get the flags' values. */
export async function changeThresholds(context: Context, dependencies: OpsDependencies): Promise<Response> {
  const { json } = await readJsonBody(context.req.raw, dependencies.bodyLimit);
  const change = validate(thresholdsRequest, json);
  const changed = dependencies.models.select(change.model);
  for (const { router } of changed) router.thresholds = apply(change, router.thresholds);
  dependencies.log.info("busy thresholds changed", { models: changed.map(({ name }) => name), ...change });
  const data = changed.map(({ name, router }) => ({ model: name, ...describe(router.thresholds) }));
  return context.json({ object: "list", data });
}

function apply(change: z.infer<typeof thresholdsRequest>, before: Thresholds): Thresholds {
  const { busy_decode_blocks: decode, busy_prefill_tokens: prefill, queue_threshold: queue } = change;
  return {
    busyDecodeBlocks: decode === undefined ? before.busyDecodeBlocks : (decode ?? undefined),
    busyPrefillTokens: prefill === undefined ? before.busyPrefillTokens : readPrefill(prefill),
    queuePrefillSteps: queue === undefined ? before.queuePrefillSteps : (queue ?? undefined),
  };
}

function readPrefill(value: number | string | null): Thresholds["busyPrefillTokens"] {
  if (value === null) return undefined;
  return typeof value === "number" ? { tokens: value } : { share: Number(value.slice(0, -1)) / 100 };
}

function describe({ busyDecodeBlocks, busyPrefillTokens: prefill, queuePrefillSteps }: Thresholds) {
  const tokens = prefill && ("tokens" in prefill ? prefill.tokens : `${prefill.share * 100}%`);
  return {
    busy_decode_blocks: busyDecodeBlocks ?? null,
    busy_prefill_tokens: tokens ?? null,
    queue_threshold: queuePrefillSteps ?? null,
  };
}
