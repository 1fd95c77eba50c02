import type { FrontSettings } from "../attach/fronts.ts";
import type { OptionValues } from "../options/spec.ts";
import type { attachOptions } from "../options/tables.ts";
import { accessSettings } from "./access-settings.ts";

type AttachOptions = OptionValues<typeof attachOptions>;

/** What the flags say for the processes that serve the port. */
export function frontSettings(
  options: AttachOptions,
  port: number,
  own: Pick<FrontSettings, "id" | "tokenizers" | "modelNames" | "requestOptions">,
): Omit<FrontSettings, "name"> {
  const { access, tls, engineTls, serverLimits } = accessSettings(options);
  return {
    host: options.host,
    port,
    access,
    tls,
    engineTls,
    // The limit is the gateway's: the system shares connections out about evenly.
    serverLimits: {
      ...serverLimits,
      maxConnections: Math.ceil(serverLimits.maxConnections / options.processes),
    },
    bodyLimit: options["body-limit"],
    timeoutMs: options["request-timeout"] * 1000,
    preferenceDefaults: { session: options["session-from"], tenant: options["tenant-from"] },
    logLevel: options["log-level"],
    logFormat: options["log-format"],
    drainMs: options["drain-timeout"] * 1000,
    ...own,
  };
}
