import type { HealthOptions, RequestOptions } from "#gateway";
import type { OptionValues } from "../options/spec.ts";
import type { attachOptions, servingOptions } from "../options/tables.ts";

type Options = OptionValues<typeof attachOptions>;

/** What the flags say about how engines are found to be well. */
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

/** What the flags say about how hard the gateway tries to have a request answered. */
export function requestSettings(
  options: Pick<
    OptionValues<typeof servingOptions>,
    "first-token-timeout" | "idle-timeout" | "retries" | "migration-limit"
  > &
    Partial<Pick<Options, "connect-timeout">>,
): Partial<RequestOptions> {
  const { "connect-timeout": connect } = options;
  return {
    ...(connect !== undefined && { connectMs: connect * 1000 }),
    firstByteMs: options["first-token-timeout"] * 1000,
    idleMs: options["idle-timeout"] * 1000,
    retries: options.retries,
    migrationLimit: options["migration-limit"],
  };
}
