import type { OpenUrl } from "./fetch.ts";
import { checkHost, type ResolveHost } from "./policy.ts";

/**
 * Fetches with the runtime's `fetch`, which resolves a name again after it was checked.
 * @param resolveHost undefined if the runtime cannot resolve names; they are then judged only by their spelling
 */
export const createWebOpenUrl =
  (resolveHost?: ResolveHost): OpenUrl =>
  async (checked, path, signal) => {
    if (resolveHost !== undefined) await checkHost(checked, path, resolveHost);
    const abort = new AbortController();
    const { status, headers, body } = await fetch(checked.url, {
      redirect: "manual",
      headers: { "user-agent": "stator" },
      signal: AbortSignal.any([signal, abort.signal]),
    }).catch((cause: unknown) => {
      throw new Error("The connection to its server failed.", { cause });
    });
    return {
      status,
      header: (name) => headers.get(name) ?? undefined,
      body: body ?? NO_BODY,
      cancel: () => abort.abort(),
    };
  };

const NO_BODY: AsyncIterable<Uint8Array> = {
  async *[Symbol.asyncIterator]() {},
};
