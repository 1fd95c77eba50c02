import { DownloadError, describeRefusal, reasonOf } from "./download-error.ts";

export interface RemoteOptions {
  readonly url: URL;
  readonly signal?: AbortSignal | undefined;
  /** Longest time to the first answer, in milliseconds. Default 30,000. */
  readonly answerTimeoutMs?: number;
}

/** The source's metadata of the file. */
export interface RemoteFile {
  /** URL after redirects. */
  url: URL;
  size: number | undefined;
  etag: string | undefined;
  sha256: string | undefined;
  /** The hub's commit that has the file. */
  commit: string | undefined;
}

/** Follows redirects by hand: the hub's first response has size and checksum, the last one the bytes. */
export async function inspect({ url, signal, answerTimeoutMs = 30_000 }: RemoteOptions): Promise<RemoteFile> {
  const remote: RemoteFile = { url, size: undefined, etag: undefined, sha256: undefined, commit: undefined };
  for (let hop = 0; hop < 10; hop++) {
    const response = await head(remote.url, answerTimeoutMs, signal);
    readHeaders(response.headers, remote);
    const location = response.headers.get("location");
    if (response.status >= 300 && response.status < 400 && location !== null) {
      remote.url = new URL(location, remote.url);
      continue;
    }
    if (response.ok || response.status === 405) return remote;
    throw new DownloadError(describeRefusal(response.status, url));
  }
  throw new DownloadError(`${url.host} redirects too often.`);
}

async function head(url: URL, timeoutMs: number, signal: AbortSignal | undefined): Promise<Response> {
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    return await fetch(url, {
      method: "HEAD",
      redirect: "manual",
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
  } catch (error) {
    signal?.throwIfAborted();
    const reason = timeout.aborted ? `no answer within ${timeoutMs / 1000} s` : reasonOf(error);
    throw new DownloadError(
      `Cannot reach ${url.host}: ${reason}. Check the network, or give a local file: --model FILE.gguf.`,
    );
  }
}

function readHeaders(headers: Headers, remote: RemoteFile): void {
  const linkedEtag = unquote(headers.get("x-linked-etag"));
  // The hub's ETag of a large file is its SHA-256.
  if (linkedEtag !== undefined && /^[0-9a-f]{64}$/.test(linkedEtag)) remote.sha256 = linkedEtag;
  remote.sha256 ??= digestOf(headers);
  remote.commit ??= headers.get("x-repo-commit") ?? undefined;
  remote.etag = headers.get("etag") ?? remote.etag;
  const size = headers.get("x-linked-size") ?? headers.get("content-length");
  if (size !== null && Number(size) > 0) remote.size = Number(size);
}

/** RFC 9530's `Repr-Digest: sha-256=:…:`, or its predecessor `Digest: SHA-256=…`. */
function digestOf(headers: Headers): string | undefined {
  const text = headers.get("repr-digest") ?? headers.get("digest") ?? "";
  const base64 = /sha-256=:?([A-Za-z0-9+/]{43}=):?/i.exec(text)?.[1];
  return base64 === undefined ? undefined : Buffer.from(base64, "base64").toString("hex");
}

const unquote = (text: string | null) => text?.replace(/^W\//, "").replaceAll('"', "");
