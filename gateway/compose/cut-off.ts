import type { GatewayDependencies } from "../api/dependencies.ts";
import { gatewayStops } from "../kernel/errors.ts";

/** Ends the requests that engines are answering: a stream with an error event, what has not begun with 503. */
export function cutOff({ running, log }: Pick<GatewayDependencies, "running" | "log">): void {
  const { size } = running;
  for (const request of [...running]) request.stop(gatewayStops());
  if (size > 0) log.warn("requests were cut off: they had not ended within --drain-timeout", { count: size });
}
