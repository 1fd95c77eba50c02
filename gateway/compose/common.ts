import type { AccessPlatform } from "../access/open-access.ts";
import type { GatewayDependencies } from "../api/dependencies.ts";
import { MemoryResponses } from "../api/responses/memory.ts";
import type { ResponseStore } from "../api/responses/store.ts";
import { gatewayStops } from "../kernel/errors.ts";
import { type ByteTools, webByteTools } from "../media/byte-tools.ts";
import type { OpenUrl } from "../media/fetch.ts";
import { createWebOpenUrl } from "../media/web-open-url.ts";

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

/** What access control needs of a runtime. */
export const accessPlatform = ({
  files,
  byteTools = webByteTools,
  openUrl = createWebOpenUrl(),
}: {
  files: Pick<AccessPlatform, "readTextFile"> | undefined;
  byteTools?: ByteTools | undefined;
  openUrl?: OpenUrl | undefined;
}): AccessPlatform => ({ readTextFile: files?.readTextFile, byteTools, openUrl });

/** Most characters of JSON that are kept in memory. */
const RESPONSES_LIMIT = 64 * 1024 * 1024;

/** As long as OpenAI keeps responses. */
const RESPONSES_TTL_MS = 30 * 24 * 3600 * 1000;

/** Where responses and conversations are kept. */
export interface ResponsesOptions {
  /** `file:DIR` or `nats://HOST:PORT[/NAME]`, for all gateways that use it. Default: in memory, up to a bound. */
  readonly responsesStore?: string | undefined;
  /** How long they are kept after their last change, in milliseconds. Default 30 days. */
  readonly responsesTtlMs?: number | undefined;
}

/**
 * Keeps responses where other gateways find them, such as `file:DIR`.
 * @param onWait is told why the place is not ready yet
 * @throws Error if the place cannot be reached
 */
export type OpenResponses = (
  place: string,
  ttlMs: number,
  onWait?: (reason: string) => void,
) => Promise<ResponseStore>;

/** @throws Error if the store cannot be reached, or the runtime has none but memory */
export async function openResponses(
  { responsesStore: place, responsesTtlMs: ttlMs = RESPONSES_TTL_MS }: ResponsesOptions,
  files: { openResponses?: OpenResponses } | undefined,
  log: GatewayDependencies["log"],
): Promise<ResponseStore> {
  if (place === undefined) return new MemoryResponses(RESPONSES_LIMIT, ttlMs);
  if (files?.openResponses === undefined)
    throw new Error("This runtime can only keep responses in memory; omit --responses-store.");
  return files.openResponses(place, ttlMs, (reason) =>
    log.warn("waiting for the store of --responses-store; it must answer within 10 s", { reason }),
  );
}
