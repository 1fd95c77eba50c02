import type { GatewayDependencies } from "../api/dependencies.ts";
import { MemoryResponses } from "../api/responses/memory.ts";
import type { ResponseStore } from "../api/responses/store.ts";
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

/** Most characters of JSON that are kept in memory. */
const RESPONSES_LIMIT = 64 * 1024 * 1024;

/**
 * Where responses are kept: in a folder, or in memory.
 * @throws Error for a folder on a runtime without files
 */
export function openResponses(
  folder: string | undefined,
  files: { openResponses?(folder: string): ResponseStore } | undefined,
): ResponseStore {
  if (folder === undefined) return new MemoryResponses(RESPONSES_LIMIT);
  if (files?.openResponses === undefined)
    throw new Error("This runtime cannot keep responses in a folder; omit --responses-store.");
  return files.openResponses(folder);
}
