import { unfinished } from "../../../api/responses/response.ts";
import type { ResponseStore, StoredResponse } from "../../../api/responses/store.ts";

/**
 * Ends a response in progress whose maker has died. A maker that was only suspended does not change that.
 * @param read reads the response again
 * @returns the response as it has ended; undefined if it was deleted meanwhile
 */
export async function endForMaker(
  store: Pick<ResponseStore, "settle">,
  stored: StoredResponse,
  read: () => Promise<StoredResponse | undefined>,
): Promise<StoredResponse | undefined> {
  const ended = { ...stored, response: unfinished(stored.response) };
  if (await store.settle(ended)) return ended;
  const other = await read();
  return other?.response.status === "in_progress" ? ended : other;
}
