import type { ListeningOptions } from "#gateway";
import { UsageError } from "../options/read.ts";
import type { OptionValues } from "../options/spec.ts";
import type { servingOptions } from "../options/tables.ts";
import { type AcceptorSettings, startAcceptors } from "../processes/acceptors.ts";
import type { Service } from "../service.ts";
import { accessSettings } from "./access-settings.ts";
import { type StartedGateway, startGatewayFromFlags } from "./gateway-settings.ts";
import { responsesStore } from "./responses-store.ts";

type Options = OptionValues<typeof servingOptions>;

const DAY_MS = 24 * 3600 * 1000;

/** Settings shared by all processes of a gateway. */
type Shared = Pick<
  AcceptorSettings,
  | "id"
  | "tokenizers"
  | "modelNames"
  | "requestOptions"
  | "rescue"
  | "discoveryUrl"
  | "drainWithinMs"
  | "workerPlane"
>;

/** What all processes share that the flags alone decide. */
interface FromFlags {
  readonly responsesStore: string | undefined;
  readonly responsesTtlMs: number;
  readonly translate: Options["translate"];
  readonly stabilisesPrefix: boolean;
}

/** The settings, from the flags, of the processes that serve the port. */
function acceptorSettings(
  options: Options,
  port: number,
  own: Shared & FromFlags,
): Omit<AcceptorSettings, "name"> {
  const { access, tls, engineTls, serverLimits } = accessSettings(options);
  return {
    host: options.host,
    port,
    access,
    tls,
    engineTls,
    // The limit is for the whole gateway; the system balances connections about evenly.
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

/** A gateway of one process or several. */
export interface ProcessGroup extends StartedGateway {
  /** Stops the processes that serve the port, once their requests have ended: until then they need routes. */
  stopAcceptors(deadlineMs: number): Promise<void>;
}

/**
 * Starts a gateway: in this process, or with --processes in several that serve its port, for which this one routes.
 * @throws UsageError if the port is unavailable, or a process does not start
 */
export async function startProcesses(
  options: Options,
  service: Service,
  shared: Shared,
  own: Partial<ListeningOptions> = {},
): Promise<ProcessGroup> {
  const { processes } = options;
  if (processes > 1 && process.platform !== "linux")
    throw new UsageError("--processes needs Linux, which balances connections among processes; omit it.");
  const { discoveryUrl: _, drainWithinMs: __, ...common } = shared;
  const hasAcceptors = processes > 1;
  const { translate, "stabilise-prefix": stabilisesPrefix } = options;
  const fromFlags = {
    translate,
    stabilisesPrefix,
    responsesStore: responsesStore(options["responses-store"], processes),
    responsesTtlMs: options["responses-ttl"] * DAY_MS,
  };
  const gateway = await startGatewayFromFlags(options, service, {
    ...common,
    ...own,
    ...fromFlags,
    hasAcceptors,
  });
  if (!hasAcceptors) return Object.assign(gateway, { stopAcceptors: async () => {} });
  const settings = acceptorSettings(options, gateway.port, { ...shared, ...fromFlags });
  const acceptors = await startAcceptors(processes, gateway, settings, service.log);
  return Object.assign(gateway, {
    stopAcceptors: (deadlineMs: number) => acceptors.stop(deadlineMs + 1_000),
  });
}
