import type { ResponseStore } from "../../../api/responses/store.ts";
import { ResponsesFolder } from "./folder.ts";
import { NatsResponses } from "./nats.ts";

/**
 * Opens a store that gateways can share.
 * @param place `file:DIR` or `nats://HOST:PORT[/NAME]`
 * @param ttlMs how long what is not changed is kept
 * @param onWait called once, with the reason, if NATS does not answer at first
 * @throws Error with the reason if NATS cannot be reached, the folder cannot be written to, or the place is neither
 */
export async function openResponses(
  place: string,
  ttlMs: number,
  onWait?: (reason: string) => void,
): Promise<ResponseStore> {
  const [, folder] = /^file:(.+)/s.exec(place) ?? [];
  if (folder !== undefined) return ResponsesFolder.open(folder, ttlMs);
  if (place.startsWith("nats://")) return NatsResponses.open(place, ttlMs, onWait);
  throw new Error("Responses can be kept in file: and a folder, or at nats:// and a server.");
}
