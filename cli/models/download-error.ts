/** A download failed in a way that a retry would not fix. */
export class DownloadError extends Error {
  override name = "DownloadError";
}

/** What a source that refused means. */
export function describeRefusal(status: number, url: URL): string {
  const place = `${url.host}${url.pathname}`;
  if (status === 404) return `${place} does not exist (404). Check owner, repository and file name.`;
  if (status === 401 || status === 403)
    return `${place} requires an account (${status}). Download it yourself and give its path: --model FILE.gguf.`;
  return `${place} answered ${status}. Try again later, or give a local file: --model FILE.gguf.`;
}

/** The message of the innermost cause: fetch's own is only "fetch failed". */
export function reasonOf(error: unknown): string {
  let inner = error;
  while (inner instanceof Error && inner.cause !== undefined) inner = inner.cause;
  if (inner instanceof Error)
    return inner.message || String((inner as NodeJS.ErrnoException).code ?? inner.name);
  return String(inner);
}
