import type { Logger } from "#runtime";
import { NatsKvEvents } from "#runtime/node";
import { UsageError } from "../options/read.ts";

/** The value of `--events` for events that come from each worker. */
const FROM_WORKERS = "workers";

export const isFromWorkers = (events: string): boolean => events === FROM_WORKERS;

/**
 * The stream of `--events nats://…`; undefined with `--events workers`.
 * @throws UsageError if the URL is malformed, or the servers cannot be used
 */
export async function openEvents(events: string, log: Logger): Promise<NatsKvEvents | undefined> {
  if (isFromWorkers(events)) return undefined;
  try {
    return await NatsKvEvents.open(checkEvents(events), {
      onState(isConnected) {
        if (isConnected) log.info("the stream of KV events is reachable again");
        else log.warn("the stream of KV events is unreachable; until it is back, they come from the workers");
      },
    });
  } catch (error) {
    throw error instanceof UsageError ? error : new UsageError(`--events: ${(error as Error).message}`);
  }
}

/** @throws UsageError if the option is neither `workers` nor the URL of NATS servers */
export function checkEvents(events: string): string {
  if (isFromWorkers(events) || events.startsWith("nats://")) return events;
  throw new UsageError(`--events: write workers, or nats://HOST:PORT[/NAME] instead of '${events}'.`);
}
