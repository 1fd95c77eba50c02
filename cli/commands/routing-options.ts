import type { RoutingOptions } from "#gateway";
import type { OptionValues } from "../options/spec.ts";
import type { servingOptions } from "../options/tables.ts";

type Options = Omit<OptionValues<typeof servingOptions>, "keys">;

/** Routing options, from the flags. */
export function routingOptions(options: Options): RoutingOptions {
  const requestWeight = options["active-request-weight"];
  return {
    policy: options.policy,
    weights: {
      overlapCredit: options["overlap-credit"],
      creditDecay: options["credit-decay"],
      prefillLoadScale: options["prefill-load-scale"],
      recentPrefillWeight: options["recent-prefill-weight"],
      recentPrefillSeconds: options["recent-prefill-window"],
      hostCredit: options["host-credit"],
      diskCredit: options["disk-credit"],
      ...(requestWeight !== undefined && { activeRequestWeight: requestWeight }),
      temperature: options["router-temperature"],
    },
    thresholds: {
      busyDecodeBlocks: options["busy-decode-blocks"],
      busyPrefillTokens: prefillThreshold(options["busy-prefill-tokens"]),
      queuePrefillSteps: options["queue-threshold"],
    },
    queue: {
      limit: options["queue-limit"],
      policy: options["queue-policy"],
      timeoutMs: options["queue-timeout"] * 1000,
      tenantWeights: new Map(options["tenant-weights"].map(readWeight)),
    },
    affinity: { mode: options["session-affinity"], ttlMs: options["session-ttl"] * 1000 },
    predictions: {
      eventTtlSeconds: options["prediction-ttl"],
      onlyTtlSeconds: options["approximate-ttl"],
    },
    disaggregation: {
      minTokens: options["remote-prefill-min-tokens"],
      minShare: options["remote-prefill-min-share"],
      maxWait: options["remote-prefill-max-wait"],
    },
    limits: {
      maxWorkers: options["index-workers"],
      maxBlocks: options["index-blocks"],
      maxMemoryBytes: options["index-memory"] * 2 ** 20,
    },
    decisionLog: options["decision-log"],
  };
}

function prefillThreshold(text: string | undefined): RoutingOptions["thresholds"]["busyPrefillTokens"] {
  if (text === undefined) return undefined;
  return text.endsWith("%") ? { share: Number(text.slice(0, -1)) / 100 } : { tokens: Number(text) };
}

function readWeight(text: string): [tenant: string, weight: number] {
  const [tenant = "", weight] = text.split("=");
  return [tenant, Number(weight)];
}
