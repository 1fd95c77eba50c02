import type { GatewayDependencies } from "../api/dependencies.ts";
import { gatewayStops } from "../kernel/errors.ts";

/** Ends the requests that engines are answering: a stream with an error event, what has not begun with 503. */
export function cutOff({ running, log }: Pick<GatewayDependencies, "running" | "log">): void {
  const { size } = running;
  for (const request of [...running]) request.stop(gatewayStops());
  if (size > 0) log.warn("requests were cut off: they had not ended within --drain-timeout", { count: size });
}

/**
 * Reads files that must be there, where there are files at all.
 * @returns undefined on runtimes without them; else throws Error for a file that there is not
 */
export function requiredFiles(
  files: { readTextFile(path: string): Promise<string | undefined> } | undefined,
): ((path: string) => Promise<string>) | undefined {
  if (files === undefined) return undefined;
  return async (path) => {
    const text = await files.readTextFile(path);
    if (text === undefined) throw new Error(`There is no file ${path}.`);
    return text;
  };
}
