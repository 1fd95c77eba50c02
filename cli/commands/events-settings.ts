import { type Logger, Outage } from "#runtime";
import { NatsKvEvents, type NatsKvEventsOptions, natsServers } from "#runtime/node";
import { UsageError } from "../options/read.ts";

/** The value of `--events` for events that come from each worker. */
const FROM_WORKERS = "workers";
/** The value for the servers that are in use anyway. */
const OWN_NATS = "nats:";

interface EventsOptions {
  readonly events: string;
  readonly nats?: string | undefined;
  readonly discovery?: string | undefined;
}

/**
 * The stream of `--events` for a gateway; undefined with `--events workers`. Its outages are logged.
 * @throws as `openWorkerEvents`
 */
export async function openGatewayEvents(
  options: EventsOptions,
  log: Logger,
): Promise<NatsKvEvents | undefined> {
  const outage = new Outage(log, {
    lost: "the stream of KV events is unreachable; until it is back, they come from the workers",
    back: "the stream of KV events is reachable again",
  });
  const onState: NatsKvEventsOptions["onState"] = (isConnected, reason = "it does not answer") => {
    if (isConnected) outage.end();
    else outage.report(reason);
  };
  return open(options, log, onState);
}

/**
 * The stream of `--events` for a worker, whose publisher logs outages; undefined with `--events workers`.
 * @throws UsageError if the URL is malformed, or the servers cannot be used
 */
export const openWorkerEvents = (options: EventsOptions, log: Logger): Promise<NatsKvEvents | undefined> =>
  open(options, log);

async function open(
  options: EventsOptions,
  log: Logger,
  onState?: NatsKvEventsOptions["onState"],
): Promise<NatsKvEvents | undefined> {
  const url = eventsUrl(options);
  if (url === undefined) return undefined;
  const onWait = (reason: string) =>
    log.warn("waiting for NATS, which --events names; it must answer within 10 s", { reason });
  try {
    return await NatsKvEvents.open(url, { onWait, ...(onState && { onState }) });
  } catch (error) {
    throw new UsageError(`--events: ${(error as Error).message}`);
  }
}

/**
 * The servers of `--events`; undefined with `--events workers`. `nats:` means those of `--nats`, or else of
 * `--discovery nats://…`.
 * @param source the option of the command that names or starts NATS servers
 * @throws UsageError if it is none of these
 */
export function eventsUrl(
  { events, nats, discovery }: EventsOptions,
  source: "--nats" | "--cluster" = "--nats",
): string | undefined {
  if (events === FROM_WORKERS) return undefined;
  if (events.startsWith("nats://")) return events;
  if (events !== OWN_NATS)
    throw new UsageError(`--events: write workers, nats: or nats://HOST:PORT[/NAME] instead of '${events}'.`);
  const servers = natsServers(nats, discovery);
  if (servers === undefined)
    throw new UsageError(`--events nats: needs NATS servers: give ${source}, or --events nats://HOST:PORT.`);
  return servers;
}
