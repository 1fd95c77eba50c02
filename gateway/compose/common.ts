import type { GatewayDependencies } from "../api/dependencies.ts";
import { gatewayStops } from "../kernel/errors.ts";

/** Aborts requests in flight: streams end with an error event, the others get 503. */
export function cutOff({ running, log }: Pick<GatewayDependencies, "running" | "log">): void {
  const { size } = running;
  for (const request of [...running]) request.stop(gatewayStops());
  if (size > 0)
    log.warn("requests were cut off: they did not complete within --drain-timeout", { count: size });
}

/**
 * A reader of files that must exist, which throws an Error if one does not.
 * @returns undefined on runtimes without files
 */
export function requiredFiles(
  files: { readTextFile(path: string): Promise<string | undefined> } | undefined,
): ((path: string) => Promise<string>) | undefined {
  if (files === undefined) return undefined;
  return async (path) => {
    const text = await files.readTextFile(path);
    if (text === undefined) throw new Error(`The file ${path} does not exist.`);
    return text;
  };
}
