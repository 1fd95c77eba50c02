import { appendFile, constants, open, rm, stat, utimes } from "node:fs/promises";
import type { ResponseLog } from "../../../api/responses/store.ts";

/** How often the maker of a response looks whether it is cancelled, in milliseconds. */
const LOOK_MS = 100;
/** How often it shows that it lives, in milliseconds. */
const BEAT_MS = 2_000;

const EXISTING = constants.O_WRONLY | constants.O_APPEND;

/** The last line of a log. */
export const END = "null";

/** Whether the last event has been written. @returns false also if there is no such file */
export async function hasEnded(path: string): Promise<boolean> {
  const opened = await open(path).catch(() => undefined);
  if (opened === undefined) return false;
  await using file = opened;
  const last = Buffer.from(`\n${END}\n`);
  const { size } = await file.stat();
  const tail = Buffer.alloc(last.length);
  await file.read(tail, 0, tail.length, Math.max(0, size - tail.length));
  return tail.equals(last);
}

/** Appends events to a file: a line of JSON each, after the first one, which names the owner. */
export class LogFile implements ResponseLog {
  readonly #path: string;
  readonly #cancelPath: string;
  readonly #cancelling = new AbortController();
  readonly #beat: ReturnType<typeof setInterval>;
  readonly #look: ReturnType<typeof setInterval>;
  /** What is to be written next. */
  #lines = "";
  #writing: Promise<void> | undefined;

  constructor(path: string, cancelPath: string) {
    this.#path = path;
    this.#cancelPath = cancelPath;
    this.#beat = setInterval(() => {
      const now = new Date();
      utimes(path, now, now).catch(() => {});
    }, BEAT_MS).unref();
    this.#look = setInterval(() => {
      stat(cancelPath).then(
        () => this.#cancelling.abort(),
        () => {},
      );
    }, LOOK_MS).unref();
  }

  get cancelled(): AbortSignal {
    return this.#cancelling.signal;
  }

  append(event: string): void {
    this.#lines += `${JSON.stringify(event)}\n`;
    this.#writing ??= this.#write();
  }

  async end(): Promise<void> {
    clearInterval(this.#beat);
    clearInterval(this.#look);
    this.#lines += `${END}\n`;
    this.#writing ??= this.#write();
    await this.#writing;
    await rm(this.#cancelPath, { force: true });
  }

  async #write(): Promise<void> {
    while (this.#lines !== "") {
      const lines = this.#lines;
      this.#lines = "";
      // It does not come back once it was deleted.
      await appendFile(this.#path, lines, { flag: EXISTING }).catch(() => this.#cancelling.abort());
    }
    this.#writing = undefined;
  }
}
