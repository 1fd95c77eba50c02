import { createHash, type Hash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { withFileLock } from "../file-lock.ts";
import { byteText } from "./byte-text.ts";
import { writeRecord } from "./file-record.ts";
import { freeSpace } from "./machine.ts";
import type { Progress } from "./progress.ts";

export interface DownloadOptions {
  url: URL;
  /** Where the complete file goes. */
  target: string;
  /** Expected checksum. Default: the source's, if it gives one. */
  sha256?: string | undefined;
  /** The address, to announce it and to keep it with the checksum beside the file. Default: does neither. */
  address?: string;
  progress: Progress;
  signal?: AbortSignal | undefined;
  /** Longest time to the first answer, in milliseconds. Default 30,000. */
  answerTimeoutMs?: number;
}

/** The source's metadata of the file. */
interface RemoteFile {
  /** URL after redirects. */
  url: URL;
  size: number | undefined;
  etag: string | undefined;
  sha256: string | undefined;
  /** The hub's commit that has the file. */
  commit: string | undefined;
}

/** A download failed in a way that a retry would not fix. */
export class DownloadError extends Error {
  override name = "DownloadError";
}

const ATTEMPTS = 5;

/**
 * Downloads a file. A broken download resumes where it stopped, also in a later process, if the source still has the
 * same file (by its ETag); else it starts over. The file gets its name only once it is complete and verified.
 * @throws DownloadError with a message that says what to do
 */
export async function download(options: DownloadOptions): Promise<void> {
  const { target, progress } = options;
  await withFileLock(
    `${target}.lock`,
    () => progress.say("Another process is downloading this model; waiting for it."),
    async () => {
      if (await exists(target)) return;
      const remote = await inspect(options);
      if (options.address !== undefined) {
        const size = remote.size === undefined ? "" : ` (${byteText(remote.size)})`;
        progress.say(`Downloading ${options.address}${size}, only this once.`);
      }
      await requireSpace(target, remote);
      for (let attempt = 1; ; attempt++) {
        try {
          await transfer(remote, options);
          break;
        } catch (error) {
          if (options.signal?.aborted || error instanceof DownloadError || attempt === ATTEMPTS) throw error;
          progress.say(
            `The connection broke (${reasonOf(error)}); resuming, attempt ${attempt + 1} of ${ATTEMPTS}.`,
          );
          await sleep(200 * 2 ** attempt, undefined, { signal: options.signal });
        }
      }
      await rm(`${target}.partial.json`, { force: true });
      const expected = options.sha256 ?? remote.sha256;
      await verify(`${target}.partial`, expected, progress);
      if (options.address !== undefined) await keepRecord(options.address, expected, remote, target);
      await rename(`${target}.partial`, target);
    },
  );
}

/** @throws DownloadError if the rest of the file does not fit on the disk */
async function requireSpace(target: string, { size }: RemoteFile): Promise<void> {
  const folder = dirname(target);
  const free = await freeSpace(folder);
  if (size === undefined || free === undefined) return;
  const partial = await stat(`${target}.partial`).catch(() => undefined);
  const missing = size - (partial?.size ?? 0);
  if (missing > free)
    throw new DownloadError(
      `${folder} has ${byteText(free)} free, and the download needs ${byteText(missing)}. Free some ('stator models' lists the models there, 'stator models remove NAME' removes one), or choose another folder: --model-folder DIR.`,
    );
}

/** Keeps what is needed to verify the file later. */
async function keepRecord(
  source: string,
  expected: string | undefined,
  { commit }: RemoteFile,
  target: string,
): Promise<void> {
  const partial = `${target}.partial`;
  await writeRecord(target, {
    source,
    commit,
    bytes: (await stat(partial)).size,
    sha256: expected ?? (await hashFile(partial)),
    checksumFrom: expected === undefined ? "download" : "source",
    fetchedAt: new Date().toISOString(),
  });
}

/** Follows redirects by hand: the hub's first response has size and checksum, the last one the bytes. */
async function inspect({ url, signal, answerTimeoutMs = 30_000 }: DownloadOptions): Promise<RemoteFile> {
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

async function transfer(remote: RemoteFile, { target, progress, signal }: DownloadOptions): Promise<void> {
  const partial = `${target}.partial`;
  const start = await resumePoint(partial, remote);
  if (remote.size !== undefined && start === remote.size) return;
  const headers: Record<string, string> = { "accept-encoding": "identity" };
  if (start > 0) {
    headers.range = `bytes=${start}-`;
    if (remote.etag !== undefined) headers["if-range"] = remote.etag;
  }
  const idle = new IdleTimeout(IDLE_TIMEOUT_MS, signal);
  const response = await fetch(remote.url, { headers, signal: idle.signal });
  if (!response.ok || response.body === null)
    throw new DownloadError(describeRefusal(response.status, remote.url));
  const isResumed = response.status === 206;
  if (start > 0)
    progress.say(
      isResumed
        ? `Resuming at ${(start / 1e6).toFixed(1)} MB.`
        : "The source has changed or cannot resume; starting over.",
    );
  await writeFile(`${partial}.json`, JSON.stringify({ etag: remote.etag, size: remote.size }));
  let bytes = isResumed ? start : 0;
  async function* counted(body: AsyncIterable<Uint8Array>) {
    for await (const chunk of body) {
      idle.rearm();
      bytes += chunk.length;
      progress.update(bytes, remote.size);
      yield chunk;
    }
  }
  const file = createWriteStream(partial, { flags: isResumed ? "a" : "w" });
  await pipeline(counted(response.body), file, { signal: idle.signal }).finally(() => idle.clear());
  if (remote.size !== undefined && bytes < remote.size)
    throw new Error(`it ended after ${bytes} of ${remote.size} bytes`);
  progress.done();
}

/** How long a source can be silent in the middle of a file, in milliseconds. */
const IDLE_TIMEOUT_MS = 30_000;

/** Aborts after a time without data, or when another signal aborts. */
class IdleTimeout {
  readonly signal: AbortSignal;
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;

  constructor(ms: number, outer: AbortSignal | undefined) {
    const reason = new Error(`no data for ${ms / 1000} s`);
    this.#timer = setTimeout(() => this.#controller.abort(reason), ms).unref();
    this.signal = outer ? AbortSignal.any([outer, this.#controller.signal]) : this.#controller.signal;
  }

  rearm(): void {
    this.#timer.refresh();
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}

/** How many bytes of an earlier attempt belong to the same file. */
async function resumePoint(partial: string, remote: RemoteFile): Promise<number> {
  const size = (await stat(partial).catch(() => undefined))?.size ?? 0;
  if (size === 0) return 0;
  const known = await readJson(`${partial}.json`);
  const isSame =
    typeof known === "object" &&
    known !== null &&
    Reflect.get(known, "etag") === remote.etag &&
    Reflect.get(known, "size") === remote.size &&
    size <= (remote.size ?? Number.POSITIVE_INFINITY);
  return isSame ? size : 0;
}

/** The file's content; undefined if it is missing or was truncated by a crash. */
async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch {
    return undefined;
  }
}

async function verify(path: string, sha256: string | undefined, progress: Progress): Promise<void> {
  if (sha256 === undefined) {
    progress.say("The source gives no checksum, so the file was not verified.");
  } else {
    const actual = await hashFile(path);
    if (actual !== sha256) {
      await rm(path, { force: true });
      throw new DownloadError(
        `The file is corrupt: its SHA-256 is ${actual}, not ${sha256}. It was deleted; try again.`,
      );
    }
    progress.say(`Checksum verified (SHA-256 ${sha256.slice(0, 12)}…).`);
  }
  await requireGguf(path).catch(async (error: unknown) => {
    await rm(path, { force: true });
    throw error;
  });
}

/** @throws DownloadError if the file is not GGUF */
export async function requireGguf(path: string): Promise<void> {
  const file = await open(path);
  try {
    if ((await file.stat()).isDirectory())
      throw new DownloadError(`${path} is a folder; --model takes a GGUF file.`);
    const magic = Buffer.alloc(4);
    await file.read(magic, 0, 4, 0);
    if (magic.toString("latin1") !== "GGUF") throw new DownloadError(`${path} is not a GGUF file.`);
  } finally {
    await file.close();
  }
}

export async function hashFile(path: string): Promise<string> {
  const hash: Hash = createHash("sha256");
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return hash.digest("hex");
}

export const exists = async (path: string) => (await stat(path).catch(() => undefined)) !== undefined;

function describeRefusal(status: number, url: URL): string {
  const place = `${url.host}${url.pathname}`;
  if (status === 404) return `${place} does not exist (404). Check owner, repository and file name.`;
  if (status === 401 || status === 403)
    return `${place} requires an account (${status}). Download it yourself and give its path: --model FILE.gguf.`;
  return `${place} answered ${status}. Try again later, or give a local file: --model FILE.gguf.`;
}

const unquote = (text: string | null) => text?.replace(/^W\//, "").replaceAll('"', "");

/** The message of the innermost cause: fetch's own is only "fetch failed". */
function reasonOf(error: unknown): string {
  let inner = error;
  while (inner instanceof Error && inner.cause !== undefined) inner = inner.cause;
  if (inner instanceof Error)
    return inner.message || String((inner as NodeJS.ErrnoException).code ?? inner.name);
  return String(inner);
}
