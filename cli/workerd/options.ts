import { z } from "zod";
import { type EngineSpec, parseKeys, type WorkerdOptions } from "#gateway";
import { createLogger, version } from "#runtime";
import { healthSettings, requestSettings, rescueSettings } from "../commands/attach-settings.ts";
import { enginesOf } from "../commands/engine-options.ts";
import { mediaSettings } from "../commands/media-settings.ts";
import { modelNames } from "../commands/name-settings.ts";
import { routingOptions } from "../commands/routing-options.ts";
import { readBindings, UsageError } from "../options/read.ts";
import { attachOptions } from "../options/tables.ts";

/** Options of `stator attach` that a worker supports as bindings `STATOR_…`, text or JSON. */
export const WORKERD_OPTIONS = [
  "engines",
  "engine-key",
  "keys",
  "open",
  "cors",
  "media",
  "media-domains",
  "media-limit",
  "media-count",
  "media-pixels",
  "media-timeout",
  "media-cache",
  "pass-all",
  "max-inflight",
  "body-limit",
  "translate",
  "stabilise-prefix",
  "tool-parser",
  "reasoning-parser",
  "request-timeout",
  "first-token-timeout",
  "idle-timeout",
  "model-alias",
  "model-fallback",
  "retries",
  "migration-limit",
  "health-interval",
  "health-timeout",
  "health-failures",
  "slow-start",
  "policy",
  "overlap-credit",
  "credit-decay",
  "prefill-load-scale",
  "recent-prefill-weight",
  "recent-prefill-window",
  "host-credit",
  "disk-credit",
  "active-request-weight",
  "router-temperature",
  "session-affinity",
  "session-ttl",
  "session-from",
  "tenant-from",
  "approximate-ttl",
  "index-workers",
  "index-blocks",
  "index-memory",
  "decision-log",
  "busy-decode-blocks",
  "busy-prefill-tokens",
  "log-level",
  "log-format",
] as const satisfies readonly (keyof typeof attachOptions)[];

/** The keys themselves, not the path of their file. */
const keys = z.union([z.string().min(1), z.record(z.string(), z.unknown())]).optional();

const bindings = { ...attachOptions, keys: { ...attachOptions.keys, schema: keys } };

/**
 * Reads a worker's bindings.
 * @throws UsageError for an unsupported option, an invalid value, or access without keys that was not requested
 * @throws AccessError for invalid keys
 */
export function readWorkerdOptions(env: Readonly<Record<string, unknown>>): WorkerdOptions {
  const options = readBindings(bindings, env, (name) =>
    WORKERD_OPTIONS.some((known) => known === name)
      ? undefined
      : "is not supported on workerd; see docs/runtimes.md for the alternative",
  );
  const { keys: given, open } = options;
  if (given === undefined && !open)
    throw new UsageError(
      "No client is admitted yet. Bind STATOR_KEYS to API keys as 'stator keys add' writes them, or STATOR_OPEN to true to admit every client that can reach the worker's socket.",
    );
  if (given !== undefined && open)
    throw new UsageError("STATOR_OPEN is for a gateway without keys; omit it or STATOR_KEYS.");
  return {
    engines: workerdEngines(options),
    access: {
      keys: given === undefined ? undefined : parseKeys(given, "STATOR_KEYS"),
      maxInflight: options["max-inflight"],
      cors: options.cors,
      media: mediaSettings(options),
      passesAll: options["pass-all"],
    },
    // Without keys, any client of the API could administer the gateway.
    admin: given === undefined ? { isGuarded: true } : undefined,
    modelNames: modelNames(options),
    ...routingOptions(options),
    health: healthSettings(options),
    requestOptions: requestSettings(options),
    preferenceDefaults: { session: options["session-from"], tenant: options["tenant-from"] },
    rescue: rescueSettings(options),
    translate: options.translate,
    stabilisesPrefix: options["stabilise-prefix"],
    bodyLimit: options["body-limit"],
    timeoutMs: options["request-timeout"] * 1000,
    log: createLogger({
      name: "workerd",
      level: options["log-level"],
      format: options["log-format"],
      write: (line) => console.log(line.trimEnd()),
      colour: false,
    }),
    version,
  };
}

function workerdEngines(options: Parameters<typeof enginesOf>[1]): readonly EngineSpec[] {
  if (options.engines.length === 0)
    throw new UsageError(
      "No engines given. Bind STATOR_ENGINES to their addresses: http://10.0.0.1:8000,http://10.0.0.2:8000",
    );
  const followed = options.engines.find(({ kvEvents }) => kvEvents !== undefined);
  if (followed !== undefined)
    throw new UsageError(
      `STATOR_ENGINES: kv-events of ${followed.url}: a gateway on workerd cannot follow KV events; omit it, and caches are predicted.`,
    );
  return enginesOf("attach", options, []);
}
