import type { Eventually } from "../../kernel/eventually.ts";
import { conversationIdOf } from "../conversations/id.ts";
import { keptItem } from "../conversations/kept-item.ts";
import type { GatewayDependencies } from "../dependencies.ts";
import type { ResponseObject } from "./response.ts";
import type { PlainItem, ResponsesRequest } from "./schemas.ts";

/**
 * At a response's end, stores it if it is to be stored, and adds it to its conversation.
 * @returns the response for the client: as it has ended, if it was cancelled before; it says so if storing it has failed
 */
export function saver(
  { responses, log }: GatewayDependencies,
  { store, background, conversation }: ResponsesRequest,
  owner: string,
  input: readonly PlainItem[],
): (response: ResponseObject) => Eventually<ResponseObject> {
  const conversationId = conversationIdOf(conversation);
  /** @param settled whether a response in the background counts: not if it was cancelled or deleted before its end */
  const add = async (id: string, { output }: ResponseObject, settled: Promise<boolean> | undefined) => {
    if ((await settled) === false) return;
    const items = [...input, ...(output as PlainItem[])].map(keptItem);
    await responses.change(id, { type: "added", items });
  };
  /** How a response has ended that was cancelled, or deleted, before its end. */
  const earlierEnd = async (response: ResponseObject): Promise<ResponseObject> => {
    const kept = await responses.get(response.id).catch(() => undefined);
    return kept?.response ?? { ...response, status: "cancelled", output: [], usage: null };
  };
  return (response) => {
    const saving: Promise<Partial<ResponseObject>>[] = [];
    /** @param otherwise what the client gets if it fails */
    const attempt = (what: string, work: Promise<unknown>, otherwise: Partial<ResponseObject>) => {
      const onError = (error: unknown) => {
        log.error(`cannot ${what}`, { response: response.id, reason: String(error) });
        return otherwise;
      };
      saving.push(work.then(() => ({}), onError));
    };
    const stored = { owner, response, input };
    const settled = background ? responses.settle(stored) : undefined;
    const asBefore = async (counts: boolean) => (counts ? {} : earlierEnd(response));
    if (settled !== undefined) saving.push(settled.then(asBefore, () => ({})));
    if (store !== false) attempt("store a response", settled ?? responses.put(stored), { store: false });
    if (conversationId !== undefined) {
      const adding = add(conversationId, response, settled);
      attempt("add a response to its conversation", adding, { conversation: null });
    }
    if (saving.length === 0) return response;
    return Promise.all(saving).then((changes) => Object.assign({}, response, ...changes));
  };
}
