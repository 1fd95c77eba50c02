import type { HealthOptions, RequestOptions } from "#gateway";
import type { OptionValues } from "../options/spec.ts";
import type { attachOptions, servingOptions } from "../options/tables.ts";

type Options = OptionValues<typeof attachOptions>;

/** Health checks, from the flags. */
export function healthSettings(
  options: Pick<Options, "health-interval" | "health-timeout" | "health-failures" | "slow-start">,
): Partial<HealthOptions> {
  return {
    intervalMs: options["health-interval"] * 1000,
    timeoutMs: options["health-timeout"] * 1000,
    failures: options["health-failures"],
    slowStartMs: options["slow-start"] * 1000,
  };
}

/** Timeouts, retries and failover, from the flags. */
export function requestSettings(
  options: Pick<
    OptionValues<typeof servingOptions>,
    "first-token-timeout" | "idle-timeout" | "encode-max-wait" | "retries" | "migration-limit"
  > &
    Partial<Pick<Options, "connect-timeout">>,
): Partial<RequestOptions> {
  const { "connect-timeout": connect } = options;
  return {
    ...(connect !== undefined && { connectMs: connect * 1000 }),
    firstByteMs: options["first-token-timeout"] * 1000,
    idleMs: options["idle-timeout"] * 1000,
    encodeMs: options["encode-max-wait"] * 1000,
    retries: options.retries,
    migrationLimit: options["migration-limit"],
  };
}

/** What is looked for in the text of engines' answers, from the flags. */
export function rescueSettings(options: Pick<Options, "tool-parser" | "reasoning-parser">) {
  const toolParser = options["tool-parser"] ?? "none";
  return {
    toolParser,
    reasoningParser: options["reasoning-parser"] ?? (toolParser === "auto" ? "auto" : "none"),
  };
}
