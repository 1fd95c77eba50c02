import { createWriteStream } from "node:fs";
import { readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { withFileLock } from "../file-lock.ts";
import { byteText } from "./byte-text.ts";
import { DownloadError, describeRefusal, reasonOf } from "./download-error.ts";
import { writeRecord } from "./file-record.ts";
import { exists, hashFile, requireGguf } from "./gguf-file.ts";
import { freeSpace } from "./machine.ts";
import type { Progress } from "./progress.ts";
import { inspect, type RemoteFile, type RemoteOptions } from "./remote-file.ts";

export interface DownloadOptions extends RemoteOptions {
  /** Where the complete file goes. */
  target: string;
  /** Expected checksum. Default: the source's, if it gives one. */
  sha256?: string | undefined;
  /** The address, to announce it and to keep it with the checksum beside the file. Default: does neither. */
  address?: string;
  progress: Progress;
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
